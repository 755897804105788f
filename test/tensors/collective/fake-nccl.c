/* Records what it is called with, as nccl.h declares it: a communicator of "GPUs" that are this process's memory. */
#include <stddef.h>
#include <string.h>

typedef struct { char internal[128]; } ncclUniqueId;
typedef struct ncclComm { int size, rank; char id[128]; } ncclComm;
static ncclComm comm;
static int group = 0, calls = 0, lastType = -1, lastOp = -1, lastRoot = -1, wasGrouped = 0;
static void *lastStream = 0;

int ncclGetVersion(int *version) { *version = 22703; return 0; }
int ncclGetUniqueId(ncclUniqueId *id) {
  for (int i = 0; i < 128; i++) id->internal[i] = (char)(i * 3 + 200);
  return 0;
}
int ncclCommInitRank(ncclComm **out, int size, ncclUniqueId id, int rank) {
  if (rank >= size) return 4;
  comm.size = size; comm.rank = rank;
  memcpy(comm.id, id.internal, 128);
  *out = &comm;
  return 0;
}
int ncclAllReduce(const void *send, void *receive, size_t count, int type, int op, ncclComm *c, void *stream) {
  if (c != &comm || type != 7) return 5;
  for (size_t i = 0; i < count; i++) ((float *)receive)[i] = ((const float *)send)[i] * c->size;
  calls++; lastType = type; lastOp = op; lastStream = stream; wasGrouped = group;
  return 0;
}
int ncclBroadcast(const void *send, void *receive, size_t count, int type, int root, ncclComm *c, void *stream) {
  if (c != &comm) return 5;
  memmove(receive, send, count * 4);
  lastRoot = root; lastStream = stream; wasGrouped = group;
  return 0;
}
int ncclGroupStart(void) { group++; return 0; }
int ncclGroupEnd(void) { group--; return 0; }
int ncclCommDestroy(ncclComm *c) { return c == &comm ? 0 : 4; }
const char *ncclGetErrorString(int code) { return code == 4 ? "invalid argument" : "invalid usage"; }
/* what was recorded: calls, type, op, root, in a group, stream, rank, size, the id's first and last byte */
void recorded(long long *out) {
  out[0] = calls; out[1] = lastType; out[2] = lastOp; out[3] = lastRoot; out[4] = wasGrouped;
  out[5] = (long long)(size_t)lastStream; out[6] = comm.rank; out[7] = comm.size;
  out[8] = (unsigned char)comm.id[0]; out[9] = (unsigned char)comm.id[127];
}
