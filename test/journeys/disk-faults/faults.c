/*
 * Preloaded into the service: while the file DISK_FAULT is there, whatever would change something below FAULTY_FOLDER fails, with
 * EIO as on a dying disk or EROFS as where the kernel has remounted it read-only, whichever the file says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The errno that changes fail with now; 0: they do not fail. */
static int fault(void) {
  const char *order = getenv("DISK_FAULT");
  int descriptor = order ? syscall(SYS_openat, AT_FDCWD, order, O_RDONLY | O_CLOEXEC) : -1;
  if (descriptor < 0) return 0;
  char name[8] = {0};
  ssize_t length = syscall(SYS_read, descriptor, name, sizeof name - 1);
  syscall(SYS_close, descriptor);
  return length <= 0 ? 0 : strcmp(name, "EROFS") == 0 ? EROFS : EIO;
}

static int is_below(const char *path) {
  const char *folder = getenv("FAULTY_FOLDER");
  return folder && strncmp(path, folder, strlen(folder)) == 0;
}

static int is_file_below(int descriptor) {
  char link[32], path[PATH_MAX] = {0};
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  return readlink(link, path, sizeof path - 1) > 0 && is_below(path);
}

#define FAIL_IF(concerned)                                                                                             \
  {                                                                                                                    \
    int before = errno;                                                                                                \
    int error = (concerned) ? fault() : 0;                                                                             \
    errno = before;                                                                                                    \
    if (error) {                                                                                                       \
      errno = error;                                                                                                   \
      return -1;                                                                                                       \
    }                                                                                                                  \
  }

/* A read-only file system opens nothing for writing; a failing one makes and empties nothing. */
static int opened(const char *path, int flags, mode_t mode) {
  if (is_below(path)) {
    int makes = (flags & O_CREAT && access(path, F_OK) != 0) || flags & O_TRUNC;
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    FAIL_IF(makes || (writes && fault() == EROFS))
  }
  return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

#define OPEN(name)                                                                                                     \
  int name(const char *path, int flags, ...) {                                                                         \
    va_list more;                                                                                                      \
    va_start(more, flags);                                                                                             \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;                                            \
    va_end(more);                                                                                                      \
    return opened(path, flags, mode);                                                                                  \
  }
OPEN(open)
OPEN(open64)

ssize_t write(int descriptor, const void *data, size_t count) {
  FAIL_IF(is_file_below(descriptor))
  return syscall(SYS_write, descriptor, data, count);
}

ssize_t pwrite(int descriptor, const void *data, size_t count, off_t at) {
  FAIL_IF(is_file_below(descriptor))
  return syscall(SYS_pwrite64, descriptor, data, count, at);
}

ssize_t pwrite64(int descriptor, const void *data, size_t count, off64_t at) { return pwrite(descriptor, data, count, at); }

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  FAIL_IF(is_file_below(descriptor))
  return syscall(SYS_writev, descriptor, parts, count);
}

int ftruncate(int descriptor, off_t length) {
  FAIL_IF(is_file_below(descriptor))
  return syscall(SYS_ftruncate, descriptor, length);
}

int ftruncate64(int descriptor, off64_t length) { return ftruncate(descriptor, length); }

int fsync(int descriptor) {
  FAIL_IF(is_file_below(descriptor))
  return syscall(SYS_fsync, descriptor);
}

int fdatasync(int descriptor) {
  FAIL_IF(is_file_below(descriptor))
  return syscall(SYS_fdatasync, descriptor);
}

int rename(const char *from, const char *to) {
  FAIL_IF(is_below(to))
  return syscall(SYS_rename, from, to);
}

int unlink(const char *path) {
  FAIL_IF(is_below(path))
  return syscall(SYS_unlink, path);
}

int mkdir(const char *path, mode_t mode) {
  FAIL_IF(is_below(path))
  return syscall(SYS_mkdir, path, mode);
}
