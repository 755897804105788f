import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { readJson, writeFileAtomic } from '../common/files.js';

/** Settings of the hub, by the environment variables that huggingface_hub reads. */
export interface HubSettings {
  endpoint: string;
  /** The folder of the cache, `~/.cache/huggingface/hub` unless told otherwise. */
  cache: string;
  offline: boolean;
  token: string | undefined;
}

/** Reads HF_ENDPOINT, HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HF_HUB_OFFLINE, HF_TOKEN and HF_TOKEN_PATH. */
export function hubSettings(environment: NodeJS.ProcessEnv = process.env): HubSettings {
  const home =
    environment.HF_HOME || join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
  const tokenPath = environment.HF_TOKEN_PATH || join(home, 'token');
  const saved = () => (existsSync(tokenPath) ? readFileSync(tokenPath, 'utf8').trim() : undefined);
  return {
    endpoint: (environment.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, ''),
    cache: environment.HF_HUB_CACHE || environment.HUGGINGFACE_HUB_CACHE || join(home, 'hub'),
    offline: /^(1|on|yes|true)$/i.test(environment.HF_HUB_OFFLINE ?? ''),
    token: environment.HF_TOKEN || saved() || undefined,
  };
}

/** One model's part of the cache, laid out as huggingface_hub does: blobs by hash, snapshots of links, refs. */
export class ModelCache {
  readonly #folder: string;

  constructor(cache: string, id: string) {
    this.#folder = join(cache, `models--${id.replaceAll('/', '--')}`);
  }

  /** Where a blob is, or will be. */
  blob(hash: string): string {
    return join(this.#folder, 'blobs', hash);
  }

  snapshot(commit: string): string {
    return join(this.#folder, 'snapshots', commit);
  }

  /** The snapshot of a revision, when all files that it needs are there. */
  find(revision: string): string | undefined {
    const ref = join(this.#folder, 'refs', revision);
    const commit = existsSync(ref) ? readFileSync(ref, 'utf8').trim() : revision;
    const folder = this.snapshot(commit);
    return isComplete(folder) ? folder : undefined;
  }

  /** Makes a file of a snapshot a link to its blob. */
  link(commit: string, file: string, hash: string): void {
    const path = join(this.snapshot(commit), file);
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    symlinkSync(relative(dirname(path), this.blob(hash)), path);
  }

  /** Notes which commit a branch or tag is. */
  writeRef(revision: string, commit: string): void {
    if (revision !== commit) writeFileAtomic(join(this.#folder, 'refs', revision), commit);
  }
}

/** Whether a folder has a configuration and every file of weights: of a model, or of an adapter. */
function isComplete(folder: string): boolean {
  const has = (name: string) => existsSync(join(folder, name));
  if (has('adapter_config.json') && has('adapter_model.safetensors')) return true;
  if (!has('config.json')) return false;
  if (has('model.safetensors')) return true;
  if (!has('model.safetensors.index.json')) return false;
  const index = readJson(join(folder, 'model.safetensors.index.json')) as {
    weight_map?: Record<string, string>;
  };
  return (
    new Set(Object.values(index.weight_map ?? {})).size > 0 && Object.values(index.weight_map!).every(has)
  );
}
