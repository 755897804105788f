/** What to do where there is no MPI. */
export const mpiAdvice =
  'install Open MPI (Debian: apt-get install openmpi-bin libopenmpi3) or MPICH (mpich), or name its library in ARCLAB_MPI ' +
  'and its mpirun in ARCLAB_MPIRUN';
