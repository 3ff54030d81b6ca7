import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { http } from '../../network.mjs';

// The program itself, since the package's Node wrapper around it loses the exit code.
const machine = `${process.platform}-${{ x64: 'amd64', arm64: 'arm64' }[process.arch]}`;
const binary = fileURLToPath(import.meta.resolve(`@foundry-rs/cast-${machine}/bin/cast`));
const run = promisify(execFile);

/** Runs `cast` against the network; what it prints, without the line's end. */
export async function cast(...args) {
  const { stdout } = await run(binary, args, { env: { ...process.env, ETH_RPC_URL: http, FOUNDRY_DISABLE_NIGHTLY_WARNING: '1' } });
  return stdout.trim();
}

/** The same with `--json`, parsed. */
export const castJson = async (...args) => JSON.parse(await cast(...args, '--json'));

/** What `cast` complains when it fails. */
export async function castFails(...args) {
  try {
    await cast(...args);
  } catch (error) {
    return error.stderr;
  }
  throw new Error(`cast ${args.join(' ')} did not fail`);
}
