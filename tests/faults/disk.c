/* What a disk holds after a power cut, at worst: only what was flushed.
 *
 * Preloaded into a server. At each fsync or fdatasync of a file or folder below $CUT_ROOT it copies what was flushed
 * to $CUT_DISK: a file's bytes, or a folder's names, one per line as "type inode-birth name"; $CUT_ROOT's own are in
 * "root". Nothing else is copied, so a name whose folder was not flushed is lost, and so are bytes written after the last flush of their file.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Thread_local int copies;

/* A number of its own for each file: inodes are used again. */
static int identify(int folder, const char *name, char *out, size_t size, mode_t *mode) {
    struct statx s;
    if (statx(folder, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &s)) return -1;
    snprintf(out, size, "%llu-%lld.%u", (unsigned long long)s.stx_ino, (long long)s.stx_btime.tv_sec, s.stx_btime.tv_nsec);
    *mode = s.stx_mode;
    return 0;
}

static void copy_file(const char *link, FILE *out) {
    char bytes[1 << 16];
    size_t n;
    FILE *in = fopen(link, "re"); /* opened again, for its own position */
    if (!in) return;
    while ((n = fread(bytes, 1, sizeof bytes, in)) > 0) fwrite(bytes, 1, n, out);
    fclose(in);
}

static void copy_names(const char *link, FILE *out) {
    DIR *folder = opendir(link);
    struct dirent *entry;
    if (!folder) return;
    while ((entry = readdir(folder))) {
        char id[64];
        mode_t mode;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (identify(dirfd(folder), entry->d_name, id, sizeof id, &mode)) continue;
        fprintf(out, "%c %s %s\n", S_ISDIR(mode) ? 'd' : 'f', id, entry->d_name);
    }
    closedir(folder);
}

static void flushed(int fd) {
    const char *root = getenv("CUT_ROOT"), *disk = getenv("CUT_DISK");
    char link[64], path[PATH_MAX], id[64], kept[PATH_MAX], unfinished[PATH_MAX + 64];
    mode_t mode;
    if (copies || !root || !disk) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (strncmp(path, root, strlen(root)) || identify(fd, "", id, sizeof id, &mode)) return;
    copies = 1;
    snprintf(kept, sizeof kept, "%s/%s", disk, strcmp(path, root) ? id : "root");
    snprintf(unfinished, sizeof unfinished, "%s.%d-%d", kept, getpid(), gettid());
    FILE *out = fopen(unfinished, "we");
    if (out) {
        if (S_ISDIR(mode)) copy_names(link, out);
        else copy_file(link, out);
        fclose(out);
        rename(unfinished, kept);
    }
    copies = 0;
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    int result = real(fd);
    if (!result) flushed(fd);
    return result;
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    int result = real(fd);
    if (!result) flushed(fd);
    return result;
}
