/*
 * Preloaded into the service: writes down what it does to the files below RECORDED_FOLDER, in one order, into RECORDING.
 *
 * A record is: operation (1 byte), thread (4), file (8, an inode number), offset (8), two lengths (4 each), all little-endian,
 * then as many bytes each: a path or data, and a second path. recording.ts reads them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 65536
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

struct header {
  uint8_t operation;
  uint32_t thread;
  uint64_t file, offset;
  uint32_t first, second;
} __attribute__((packed));

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static int recording = -1;
/* The inode behind each descriptor that is recorded; 0: not recorded. */
static uint64_t files[FILES];

__attribute__((constructor)) static void begin(void) {
  folder = getenv("RECORDED_FOLDER");
  const char *path = getenv("RECORDING");
  if (folder && path) recording = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static void note(char operation, uint64_t file, uint64_t offset, const void *first, size_t length, const char *second) {
  struct header header = {operation, (uint32_t)gettid(), file, offset, (uint32_t)length, second ? (uint32_t)strlen(second) : 0};
  struct iovec parts[] = {{&header, sizeof header}, {(void *)first, length}, {(void *)second, header.second}};
  ssize_t whole = sizeof header + length + header.second;
  /* One call, so that what the test notes itself cannot come between. Half a record would be no recording. */
  if (syscall(SYS_writev, recording, parts, 3) != whole) abort();
}

static int is_recorded(const char *path) { return recording >= 0 && strncmp(path, folder, strlen(folder)) == 0; }

static uint64_t file_of(int descriptor) {
  return recording >= 0 && descriptor >= 0 && descriptor < FILES ? files[descriptor] : 0;
}

static int opened(int directory, const char *path, int flags, mode_t mode) {
  if (!is_recorded(path)) return syscall(SYS_openat, directory, path, flags, mode);
  pthread_mutex_lock(&order);
  struct stat before, after;
  int existed = stat(path, &before) == 0;
  int descriptor = syscall(SYS_openat, directory, path, flags, mode);
  int error = errno;
  if (descriptor >= 0 && descriptor < FILES && fstat(descriptor, &after) == 0) {
    files[descriptor] = after.st_ino;
    char operation = S_ISDIR(after.st_mode) ? 'd' : existed ? 'o' : 'c';
    note(operation, after.st_ino, 0, path, strlen(path), NULL);
    if (existed && (flags & O_TRUNC)) note('t', after.st_ino, 0, NULL, 0, NULL);
  }
  pthread_mutex_unlock(&order);
  errno = error;
  return descriptor;
}

#define OPEN(name)                                                                                                     \
  int name(const char *path, int flags, ...) {                                                                         \
    va_list more;                                                                                                      \
    va_start(more, flags);                                                                                             \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;                                            \
    va_end(more);                                                                                                      \
    return opened(AT_FDCWD, path, flags, mode);                                                                        \
  }
OPEN(open)
OPEN(open64)

int close(int descriptor) {
  if (file_of(descriptor)) files[descriptor] = 0;
  return syscall(SYS_close, descriptor);
}

/* Data is noted under the lock that it is written under: where two writes meet, the later one is noted later. */
#define WRITE(call, data, count, at)                                                                                   \
  uint64_t file = file_of(descriptor);                                                                                 \
  if (!file) return call;                                                                                              \
  pthread_mutex_lock(&order);                                                                                          \
  ssize_t written = call;                                                                                              \
  int error = errno;                                                                                                   \
  if (written > 0) note('w', file, at, data, written, NULL);                                                           \
  pthread_mutex_unlock(&order);                                                                                        \
  errno = error;                                                                                                       \
  return written;

ssize_t write(int descriptor, const void *data, size_t count) {
  WRITE(syscall(SYS_write, descriptor, data, count), data, count, lseek(descriptor, 0, SEEK_CUR) - written)
}

ssize_t pwrite(int descriptor, const void *data, size_t count, off_t at) {
  WRITE(syscall(SYS_pwrite64, descriptor, data, count, at), data, count, at)
}

ssize_t pwrite64(int descriptor, const void *data, size_t count, off64_t at) { return pwrite(descriptor, data, count, at); }

/* One part at a time may be fewer bytes than asked for, which every caller must expect. */
ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  if (!file_of(descriptor)) return syscall(SYS_writev, descriptor, parts, count);
  return write(descriptor, parts[0].iov_base, parts[0].iov_len);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t at) {
  if (!file_of(descriptor)) return REAL(pwritev)(descriptor, parts, count, at);
  return pwrite(descriptor, parts[0].iov_base, parts[0].iov_len, at);
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off64_t at) {
  return pwritev(descriptor, parts, count, at);
}

int ftruncate(int descriptor, off_t length) {
  uint64_t file = file_of(descriptor);
  if (!file) return syscall(SYS_ftruncate, descriptor, length);
  pthread_mutex_lock(&order);
  int result = syscall(SYS_ftruncate, descriptor, length);
  int error = errno;
  if (result == 0) note('t', file, length, NULL, 0, NULL);
  pthread_mutex_unlock(&order);
  errno = error;
  return result;
}

int ftruncate64(int descriptor, off64_t length) { return ftruncate(descriptor, length); }

/* What was noted before the beginning is durable once the end is noted. */
static int synced(int descriptor, long call) {
  uint64_t file = file_of(descriptor);
  if (!file) return syscall(call, descriptor);
  note('b', file, 0, NULL, 0, NULL);
  int result = syscall(call, descriptor);
  int error = errno;
  if (result == 0) note('e', file, 0, NULL, 0, NULL);
  errno = error;
  return result;
}

int fsync(int descriptor) { return synced(descriptor, SYS_fsync); }
int fdatasync(int descriptor) { return synced(descriptor, SYS_fdatasync); }

int rename(const char *from, const char *to) {
  if (!is_recorded(to)) return syscall(SYS_rename, from, to);
  pthread_mutex_lock(&order);
  int result = syscall(SYS_rename, from, to);
  int error = errno;
  if (result == 0) note('r', 0, 0, from, strlen(from), to);
  pthread_mutex_unlock(&order);
  errno = error;
  return result;
}

int unlink(const char *path) {
  if (!is_recorded(path)) return syscall(SYS_unlink, path);
  pthread_mutex_lock(&order);
  int result = syscall(SYS_unlink, path);
  int error = errno;
  if (result == 0) note('u', 0, 0, path, strlen(path), NULL);
  pthread_mutex_unlock(&order);
  errno = error;
  return result;
}

int remove(const char *path) {
  struct stat found;
  return lstat(path, &found) == 0 && S_ISDIR(found.st_mode) ? rmdir(path) : unlink(path);
}

/* A copy would not be recorded. */
static int refused(int descriptor) {
  if (file_of(descriptor)) abort();
  return 0;
}
int dup(int descriptor) { refused(descriptor); return syscall(SYS_dup, descriptor); }
ssize_t sendfile(int to, int from, off_t *at, size_t count) { refused(to); return syscall(SYS_sendfile, to, from, at, count); }
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *where, size_t count, unsigned flags) {
  refused(to);
  return syscall(SYS_copy_file_range, from, at, to, where, count, flags);
}
