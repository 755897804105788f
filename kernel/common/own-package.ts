import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The kernel's own file: from here the package that it is part of can be imported by its name. */
export const kernelFile = fileURLToPath(import.meta.url);

let name: string | null | undefined;

/** The name of the package that the kernel is part of; undefined for a kernel without its package. */
export function ownPackageName(): string | undefined {
  if (name === undefined) name = findName(dirname(kernelFile));
  return name ?? undefined;
}

/** Whether an import means that package: a notebook finds it even where it is not installed beside it. */
export function isOwnPackage(specifier: string): boolean {
  const own = ownPackageName();
  return own !== undefined && (specifier === own || specifier.startsWith(`${own}/`));
}

function findName(folder: string): string | null {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string };
    return name ?? null;
  } catch {
    const parent = dirname(folder);
    return parent === folder ? null : findName(parent);
  }
}
