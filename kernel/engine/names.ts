/** The one global name through which rewritten code reaches the kernel: `import()` and `import.meta` go there. */
export const KERNEL_GLOBAL = '__kernel__';
