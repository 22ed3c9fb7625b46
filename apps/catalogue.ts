/** A process of the samples. */
export interface Program {
  readonly name: string;
  /** Below `apps/`, without its ending. */
  readonly script: string;
  /** Variable of the environment with the port to serve at, unless it serves none. */
  readonly portVariable?: string;
  readonly port?: number;
}

/** A sample application, with the processes that belong to it. */
export interface Sample {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly programs: readonly Program[];
}

export const BELL: Program = { name: 'bell', script: 'bell-main', portVariable: 'BELL_PORT', port: 3001 };

export const SAMPLES: readonly Sample[] = [
  {
    name: 'bank',
    title: 'Bank',
    about: 'Accounts, transfers, and the attack that emptied exchanges: run it against both ways to write it.',
    programs: [{ name: 'bank', script: 'bank/main', portVariable: 'BANK_PORT', port: 3002 }],
  },
  {
    name: 'microblog',
    title: 'Microblog',
    about: 'Follow, block, post and reply; feeds of any length, live.',
    programs: [{ name: 'microblog', script: 'microblog/main', portVariable: 'MICROBLOG_PORT', port: 3003 }],
  },
  {
    name: 'auction',
    title: 'Auction',
    about: 'Bid against others, buy now, and hear the bell ring when something is sold.',
    programs: [
      { name: 'auction', script: 'auction/main', portVariable: 'AUCTION_PORT', port: 3004 },
      { name: 'auction worker', script: 'auction/worker-main' },
    ],
  },
];
