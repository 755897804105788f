import { existsSync, statSync } from 'node:fs';
import { messageOf, UserError } from '../common/errors.js';
import { compileSchema } from '../common/schema.js';
import { torchWeightsName } from './adapter-names.js';
import { type DownloadProgress, download, StatusError } from './download.js';
import { HubError, ModelFileError } from './errors.js';
import { type HubSettings, hubSettings, ModelCache } from './hub-cache.js';

/** How to find a model. */
export interface ResolveOptions {
  /** A branch, a tag or a commit. */
  revision?: string;
  /** Called for every piece that arrives. */
  onProgress?: (progress: DownloadProgress) => void;
  /** Where to look; by default what the HF_ environment variables say. */
  settings?: HubSettings;
}

interface Sibling {
  rfilename: string;
  size?: number;
  blobId?: string;
  lfs?: { sha256?: string; size?: number } | null;
}

const validate = compileSchema<{ sha: string; siblings: Sibling[] }>(
  {
    type: 'object',
    required: ['sha', 'siblings'],
    properties: {
      sha: { type: 'string' },
      siblings: {
        type: 'array',
        items: {
          type: 'object',
          required: ['rfilename'],
          properties: { rfilename: { type: 'string' } },
        },
      },
    },
  },
  "a model's description",
);

/** Everything but the weights that a model or an adapter needs to run. */
const companions = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'adapter_config.json',
  'adapter_model.safetensors',
  'LICENSE',
]);

/**
 * The folder of a model: a local folder as it is, else a hub id such as `Qwen/Qwen2-0.5B-Instruct`, taken from
 * the cache or downloaded into it. Only the needed files are downloaded, an interrupted download is resumed,
 * and each file's size and hash are checked.
 * @throws {ModelFileError} when it is neither a folder nor a hub id
 * @throws {HubError} when it is not in the cache and cannot be downloaded
 */
export async function resolveModel(pathOrId: string, options: ResolveOptions = {}): Promise<string> {
  const { revision = 'main', settings = hubSettings() } = options;
  if (existsSync(pathOrId)) {
    if (statSync(pathOrId).isDirectory()) return pathOrId;
    throw new ModelFileError(`${pathOrId}: it is a file, expected a model folder or a hub id`);
  }
  if (!/^[\w-][\w.-]*\/[\w.-]+$/.test(pathOrId)) {
    throw new ModelFileError(
      `${pathOrId}: no such folder. Expected a model folder or a hub id such as Qwen/Qwen2-0.5B-Instruct`,
    );
  }
  const cache = new ModelCache(settings.cache, pathOrId);
  const cached = cache.find(revision);
  if (cached) return cached;
  const missing = `${pathOrId} is neither a folder nor in the cache`;
  if (settings.offline) {
    throw new HubError(`${missing} (${settings.cache}), and HF_HUB_OFFLINE forbids to download it`);
  }
  try {
    return await fetchSnapshot(pathOrId, revision, cache, settings, options.onProgress);
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (error instanceof StatusError && [401, 403, 404].includes(error.status)) {
      // the hub answers 401 for names that do not exist as well
      const hint = settings.token
        ? 'this HF_TOKEN may not read it'
        : 'if it is gated or private, set HF_TOKEN';
      throw new HubError(
        `${missing}, and ${settings.endpoint} answers ${error.status}: no such model, or ${hint}`,
      );
    }
    const { path } = error as NodeJS.ErrnoException;
    if (path !== undefined) {
      throw new HubError(
        `${missing}, and it cannot be written there (${settings.cache}): ${messageOf(error)}`,
      );
    }
    const reason = error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error);
    throw new HubError(`${missing} and the hub cannot be reached: ${settings.endpoint}: ${reason}`);
  }
}

async function fetchSnapshot(
  id: string,
  revision: string,
  cache: ModelCache,
  settings: HubSettings,
  onProgress?: (progress: DownloadProgress) => void,
): Promise<string> {
  const headers: Record<string, string> = settings.token ? { authorization: `Bearer ${settings.token}` } : {};
  const address = `${settings.endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const response = await fetch(address, { headers });
  if (!response.ok) throw new StatusError(address, response.status);
  const { sha, siblings } = validate(await response.json(), address);
  const wanted = neededFiles(siblings);
  const isReadable = (name: string) => name.endsWith('.safetensors') || name === torchWeightsName;
  if (!wanted.some(({ rfilename }) => isReadable(rfilename))) {
    const others = siblings
      .map(({ rfilename }) => rfilename)
      .filter((name) => /\.(bin|gguf|pt|onnx)$/.test(name));
    throw new HubError(
      `${id}: the repository has no safetensors weights${others.length ? `, only ${others.join(', ')}` : ''}`,
    );
  }
  for (const { rfilename, size, blobId, lfs } of wanted) {
    const hash = lfs?.sha256 ?? blobId;
    if (!hash || !/^[0-9a-f]{40,64}$/.test(hash)) {
      throw new HubError(`${id}: the hub names no hash for ${rfilename}, so it cannot be checked`);
    }
    const target = cache.blob(hash);
    if (!existsSync(target)) {
      await download({
        url: `${settings.endpoint}/${id}/resolve/${sha}/${encodeURIComponent(rfilename)}`,
        target,
        headers,
        size: lfs?.size ?? size,
        hash,
        name: rfilename,
        ...(onProgress ? { onProgress } : {}),
      });
    }
    cache.link(sha, rfilename, hash);
  }
  cache.writeRef(revision, sha);
  return cache.snapshot(sha);
}

/** One file of weights, or all shards with their index, and what goes with them; small files first. */
function neededFiles(siblings: readonly Sibling[]): Sibling[] {
  const single = siblings.some(({ rfilename }) => rfilename === 'model.safetensors');
  const isWeight = (name: string) =>
    single
      ? name === 'model.safetensors'
      : /^model-\d+-of-\d+\.safetensors$|^model\.safetensors\.index\.json$/.test(name);
  const has = (name: string) => siblings.some(({ rfilename }) => rfilename === name);
  // an adapter's older file is read where there is no other
  const needed = has('adapter_model.safetensors') ? companions : new Set([...companions, torchWeightsName]);
  const rest = siblings.filter(({ rfilename }) => needed.has(rfilename));
  return [...rest, ...siblings.filter(({ rfilename }) => isWeight(rfilename))];
}
