import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { readJson, writeFileAtomic } from '../common/files.js';
import { fileNameOf, pathBelow } from '../common/foreign-path.js';

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
    return join(this.#folder, 'blobs', fileNameOf(hash, `${this.#folder}: the hash of a file`));
  }

  /** Where the name of a branch or tag leads; it may have parts, such as `refs/pr/1`. */
  #ref(revision: string): string {
    return pathBelow(join(this.#folder, 'refs'), revision, 'the revision of a model');
  }

  snapshot(commit: string): string {
    return join(this.#folder, 'snapshots', fileNameOf(commit, `${this.#folder}: the commit`));
  }

  /** The snapshot of a revision, when all files that it needs are there. */
  find(revision: string): string | undefined {
    const ref = this.#ref(revision);
    const commit = existsSync(ref) ? readFileSync(ref, 'utf8').trim() : revision;
    const folder = this.snapshot(commit);
    return isComplete(folder) ? folder : undefined;
  }

  /** Makes a file of a snapshot a link to its blob. */
  link(commit: string, file: string, hash: string): void {
    // what stands there is a link itself, which leads to the blobs beside the snapshots
    const path = pathBelow(this.snapshot(commit), file, `${this.#folder}: a file of the model`);
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    symlinkSync(relative(dirname(path), this.blob(hash)), path);
  }

  /** Notes which commit a branch or tag is. */
  writeRef(revision: string, commit: string): void {
    if (revision !== commit) writeFileAtomic(this.#ref(revision), commit);
  }
}

/** Whether a folder has a configuration and every file of weights: of a model, or of an adapter. */
function isComplete(folder: string): boolean {
  const has = (name: string) => existsSync(pathBelow(folder, name, `${folder}: a file of the model`));
  const isAdapter = has('adapter_model.safetensors') || has('adapter_model.bin');
  if (has('adapter_config.json') && isAdapter) return true;
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
