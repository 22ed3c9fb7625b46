import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asEmbeddedError, EmbeddedNoPortError, packError, unpackError } from '../../framework/embedded/errors';
import { findProjectFolder, placeOf } from '../../framework/embedded/folders';
import { PORTS, usualPort } from '../../framework/embedded/postmaster';
import { serverUserCandidates } from '../../framework/embedded/server-user';

test('the project is the nearest folder upward that holds a package.json', () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'bellwether-project-')));
  const deep = join(root, 'app', 'src', 'deep');
  mkdirSync(deep, { recursive: true });
  expect(findProjectFolder(deep)).toBe(deep);
  writeFileSync(join(root, 'package.json'), '{}');
  expect(findProjectFolder(deep)).toBe(root);
  writeFileSync(join(root, 'app', 'package.json'), '{}');
  expect(findProjectFolder(deep)).toBe(join(root, 'app'));
  expect(placeOf(root, 'test').stateFolder).toBe(join(root, '.bellwether', 'test'));
  rmSync(root, { recursive: true });
});

test('root runs the server as the owner of the data, else of the project, else as a usual unprivileged user, never as root', () => {
  const passwd = 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\nann:x:1000:100::/home/ann:/bin/sh\n';
  const names = (...owners: number[]) => serverUserCandidates(passwd, owners).map(({ name }) => name);
  expect(names(0)).toEqual(['nobody']);
  expect(names(1000)).toEqual(['ann', 'nobody']);
  expect(names(1234)).toEqual(['nobody']);
  expect(names(65534, 1000)).toEqual(['nobody', 'ann', 'nobody']);
});

test('the usual port is the folder’s own, below the range that systems lend', () => {
  const ports = Array.from({ length: 200 }, (_, i) => usualPort(`/app/${i}`));
  expect(usualPort('/app/1')).toBe(ports[1]);
  expect(new Set(ports).size).toBeGreaterThan(190);
  expect(ports.every((port) => port >= PORTS.first && port <= PORTS.last && port < 32_768)).toBe(true);
});

test('an error is the same after it has crossed from the supervisor', () => {
  const error = new EmbeddedNoPortError({ ...PORTS, tried: 3 }, new Error('inner'));
  const arrived = unpackError(structuredClone(packError(error)));
  expect(arrived).toBeInstanceOf(EmbeddedNoPortError);
  expect(arrived).toMatchObject({ message: error.message, code: error.code, details: error.details });
  expect(String((arrived.cause as Error).message)).toContain('inner');
});

test.each([
  ['ENOSPC', 'E_EMBEDDED_DISK_FULL'],
  ['EACCES', 'E_EMBEDDED_PERMISSION'],
  ['EROFS', 'E_EMBEDDED_PERMISSION'],
  ['EMFILE', 'E_EMBEDDED_SUPERVISOR'],
])('%s from the system is told as %s', (errno, code) => {
  const cause = Object.assign(new Error(errno), { code: errno, path: '/somewhere' });
  expect(asEmbeddedError(cause, '/state')).toMatchObject({ code, cause });
});
