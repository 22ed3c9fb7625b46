import { createTransport } from 'nodemailer';
import { job } from 'bellwether';
import { Mail } from './mail';
import { User } from './user';

/** Delivers a letter by the mail server at `SMTP_URL`. Without one it stays as it is, to be read on the page. */
export const deliverMail = job(
  'auction: deliver mail',
  { attempts: 12 },
  async ({ mailId }: { mailId: string }): Promise<void> => {
    const server = process.env.SMTP_URL;
    if (!server) return;
    const mail = await Mail.find(BigInt(mailId));
    if (mail.sentAt !== null) return;
    const { email } = await User.find(mail.userId);
    await createTransport(server).sendMail({
      from: process.env.MAIL_FROM || 'auction@localhost',
      to: email,
      subject: mail.subject,
      text: mail.text,
      // The same for every delivery, so that a second one can be told.
      messageId: `<mail-${mailId}@auction.bellwether>`,
    });
    await Mail.where({ id: mail.id }).updateAll({ sentAt: new Date() });
  },
);
