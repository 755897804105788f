/** The commands whose work is shared by processes that are started together (by mpirun, srun or torchrun). */
export const sharedCommands: readonly string[] = ['fine-tune', 'infer', 'search', 'score'];
