/** @file The names by which a line of a write-up is told to be a command and not something that a command printed. */

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

/** Programs of such write-ups, and the builtins of bash that are no words of English. */
export const PROGRAMS = words(`
  7z ansible-playbook aria2c clang coproc g++ gdb gdown git-lfs gradle heroku modal mvn ncu nsys perf rustc shift sky
  strace terraform touch trap valgrind vagrant
  accelerate alias apk apt apt-get arclab awk aws az base64 basename bash black bg brew bunzip2 bun bzip2 cargo cd
  chgrp chmod chown cmake comm compgen condor_q condor_submit condor_rm conda cp crontab curl dd declare deepspeed deno
  df diff dirname dirs disown dnf docker docker-compose du echo egrep env eval exec export fg fgrep ffmpeg gcc
  gcloud gh git go grep gsutil gunzip gzip helm hf hostname htop huggingface-cli iconv ifconfig java jobs jq julia
  jupyter kaggle kill killall kubectl ldd less ln local ls lscpu lsof mamba md5sum micromamba mkdir mkfs mktemp mv
  mypy nano nc ninja nl node nohup npm nproc npx nvcc nvidia-smi nvtop ollama perl pdm pip pip3 pipx pkill pnpm podman
  poetry popd powershell printenv printf ps pushd pwd pytest python python2 python3 rclone readlink realpath reset rm
  rmdir rsync ruff rustup sbatch scancel scp sed seq service sftp sh sha256sum shopt shred shuf sinfo squeue
  srun ssh ssh-add ssh-copy-id ssh-keygen stat sudo svn systemctl tac tar tee tensorboard tmux torchrun tr truncate
  tsc ts-node tslab tsx ulimit umask unalias uname uniq unlink unzip unset uv uvx vi vim virtualenv vllm wandb wc wg-quick wget
  whoami xargs xz yarn yum zcat zip zsh`);

/** Words that begin a command or a sentence: they count where something of the shell follows. */
export const ENGLISH = words(`
  case cat clear cut date exit false file find fold for function head if install join let links look make more
  paste read return screen select set sleep sort source split tail test time timeout top tree true
  type until wait watch which while who yes zip`);

/** Those of {@link ENGLISH} that are commands all alone in a line. */
export const ALONE = words('clear date exit make screen top tree wait who');
