import { BelongsTo, Check, Column, Id, Model, Table, Validates, Virtual } from 'bellwether';
import {
  IsEmail,
  IsIn,
  IsNotEmpty,
  IsOptional,
  Length,
  Min,
  registerDecorator,
  ValidateIf,
  ValidateNested,
  ValidationError as Finding,
} from 'class-validator';
import { RecordErrors, ValidationError } from '../../framework/validation/errors';

/** Passes tomorrow: class-validator's own asynchronous rules. */
function IsFree() {
  return (prototype: object, propertyName: string) =>
    registerDecorator({
      name: 'isFree',
      target: prototype.constructor,
      propertyName,
      validator: { validate: (value) => Promise.resolve(value !== 'admin'), defaultMessage: () => 'is not free' },
    });
}

class Address {
  @IsNotEmpty() street: string;
  constructor(street: string) {
    this.street = street;
  }
}

@Table('teams')
class Team extends Model {
  @Id() declare readonly id: bigint;
}
@Table('members')
class Member extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Length(5, 50, { message: 'is too short or too long' }) @IsEmail() declare email: string;
  @Column('text', { default: 'ann' }) @IsFree() declare login: string;
  @Column('integer', { default: 30 })
  @Min(18)
  @Check('age < 200', { holds: (m: Member) => m.age < 200 })
  declare age: number;
  @Column('text', { default: 'member' })
  @IsIn(['member'], { groups: ['create'] })
  @IsIn(['member', 'owner'], { groups: ['update'] })
  @IsIn(['owner'], { groups: ['promotion'] })
  declare role: string;
  @Column('text', { nullable: true })
  @ValidateIf((member: Member) => member.role === 'owner')
  @IsNotEmpty()
  declare phone: string | null;
  @Column('jsonb', { nullable: true }) @IsOptional() @ValidateNested() declare address: Address | null;
  @Virtual() @IsOptional() @ValidateNested() declare second: Address;
  @BelongsTo(() => Team) declare team: BelongsTo<Team>;

  ran: string[] = [];

  @Validates()
  async always() {
    await Promise.resolve();
    this.ran.push('always');
    if (this.email === 'no@x.org') this.errors.add('base', 'nobody is called no', 'nobody');
  }
  @Validates({ on: 'create' })
  onCreate() {
    this.ran.push('create');
  }
  @Validates({ on: ['update', 'promotion'] })
  onOthers() {
    this.ran.push('others');
  }
  @Validates({ if: (member: Member) => member.age > 65 })
  ifOld() {
    this.ran.push('old');
    this.errors.add('age', 'needs a note');
  }
}

const sound = { email: 'ann@x.org', team: 1n };
const REQUIRED = { code: 'required', message: 'must be given' };

describe('what is found wrong', () => {
  test.each<[string, object, object[]]>([
    ['nothing', {}, []],
    [
      'class-validator, without the name in its message',
      { age: 3 },
      [{ attribute: 'age', code: 'min', message: 'must not be less than 18' }],
    ],
    [
      'several rules of one attribute',
      { email: 'x' },
      [
        { attribute: 'email', code: 'isEmail', message: 'must be an email' },
        { attribute: 'email', code: 'isLength', message: 'is too short or too long' },
      ],
    ],
    ['an asynchronous rule', { login: 'admin' }, [{ attribute: 'login', code: 'isFree', message: 'is not free' }]],
    [
      'a type, and then no rule of that attribute',
      { email: 5 },
      [{ attribute: 'email', code: 'type', message: 'must be text' }],
    ],
    [
      'a type beside a rule of another attribute',
      { email: 5, age: 3 },
      [
        { attribute: 'email', code: 'type', message: 'must be text' },
        { attribute: 'age', code: 'min', message: 'must not be less than 18' },
      ],
    ],
    ['nothing where something must be', { email: null }, [{ attribute: 'email', ...REQUIRED }]],
    ['a parent that must be', { team: null }, [{ attribute: 'team', code: 'required', message: 'must exist' }]],
    ['a parent of the wrong type', { team: '1' }, [{ attribute: 'teamId', code: 'type', message: 'must be a bigint' }]],
    [
      'a rule of the row',
      { age: 200 },
      [
        { attribute: 'age', code: 'check', message: 'must satisfy age < 200' },
        { attribute: 'age', code: 'invalid', message: 'needs a note' },
      ],
    ],
    [
      'a method, on the whole record',
      { email: 'no@x.org' },
      [{ attribute: 'base', code: 'nobody', message: 'nobody is called no' }],
    ],
    ['a method under a condition', { age: 66 }, [{ attribute: 'age', code: 'invalid', message: 'needs a note' }]],
    [
      'a nested object in JSON',
      { address: new Address('') },
      [{ attribute: 'address.street', code: 'isNotEmpty', message: 'should not be empty' }],
    ],
    [
      'a nested virtual object',
      { second: new Address('') },
      [{ attribute: 'second.street', code: 'isNotEmpty', message: 'should not be empty' }],
    ],
  ])('%s', async (_name, values, problems) => {
    const member = Member.new({ ...sound, ...values });
    expect(await member.valid()).toBe(problems.length === 0);
    expect(member.errors.all).toEqual(problems);
    expect(await member.valid()).toBe(problems.length === 0); // found once more, not once more each
    expect(member.errors.all).toEqual(problems);
  });

  test('everything that is missing at once', async () => {
    const member = Member.new();
    expect(await member.valid()).toBe(false);
    expect(member.errors.toJSON()).toEqual({ email: ['must be given'], team: ['must exist'] });
  });

  test('is forgotten once it is corrected', async () => {
    const member = Member.new({ ...sound, age: 3 });
    await member.valid();
    member.age = 20;
    expect([await member.valid(), member.errors.isEmpty]).toEqual([true, true]);
  });
});

describe('in a context', () => {
  test.each([
    [undefined, 'owner', ['isIn']],
    [undefined, 'member', []],
    ['promotion', 'member', ['isIn']],
    ['another', 'member', []],
  ])('%s, with the role %s', async (context, role, codes) => {
    const member = Member.new({ ...sound, role, phone: '1' });
    await member.valid(context === undefined ? {} : { context });
    expect(member.errors.codes('role')).toEqual(codes);
    expect(member.ran).toEqual(context === 'promotion' ? ['always', 'create', 'others'] : ['always', 'create']);
  });

  test('methods are not asked about a record whose values are of the wrong types', async () => {
    const member = Member.new({ ...sound, age: 'old' as never });
    await member.valid();
    expect(member.ran).toEqual([]);
  });
});

describe('@ValidateIf', () => {
  test.each([
    ['owner', ['isNotEmpty']],
    ['member', []],
  ])('%s', async (role, codes) => {
    const member = Member.new({ ...sound, role });
    await member.valid();
    expect(member.errors.codes('phone')).toEqual(codes);
  });
});

describe('errors', () => {
  const errors = new RecordErrors();
  errors.add('email', 'is taken', 'taken');
  errors.add('email', 'is ugly');
  errors.add('base', 'something is wrong');

  test('can be asked in every way', () => {
    expect(errors.isEmpty).toBe(false);
    expect(errors.on('email')).toEqual(['is taken', 'is ugly']);
    expect(errors.codes('email')).toEqual(['taken', 'invalid']);
    expect(errors.on('name')).toEqual([]);
    expect(errors.messages).toEqual(['email is taken', 'email is ugly', 'something is wrong']);
    expect(JSON.parse(JSON.stringify(errors))).toEqual({
      email: ['is taken', 'is ugly'],
      base: ['something is wrong'],
    });
  });

  test('are thrown with all that they say', () => {
    const cause = new RangeError('beneath');
    const error = new ValidationError('Member', errors.all, cause);
    expect(error).toMatchObject({
      code: 'E_VALIDATION',
      recovery: 'fix-the-input',
      cause,
      details: { model: 'Member', problems: errors.all },
    });
    expect(error.on('email')).toEqual(['is taken', 'is ugly']);
    expect(error.message).toMatch(/^Member is not valid: email is taken; email is ugly; something is wrong\.\n/);
    expect(error).not.toBeInstanceOf(Finding);
  });
});
