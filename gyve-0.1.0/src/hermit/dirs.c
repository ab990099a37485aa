/* Directories and attributes: the calls of version 3. Results are 0 or a positive errno, as the guest gets them. */
#include "config.h"

#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../base/bytes.h"

enum { OTHER = 5 /* EIO: for errors that guests have no number for */, BLOCK = 4096 };

static uint8_t type_of(const struct file_node *n)
{
	struct stat st;

	if (n->kind == FILE_DIR || n->kind == FILE_HOST_DIR)
		return DT_DIR;
	if (n->kind == FILE_MEMORY)
		return DT_REG;
	return hostfs_stat(n->fd, n->host, false, &st) == 0 ? (uint8_t)IFTODT(st.st_mode) : DT_UNKNOWN;
}

struct hermit_dirlist *hermit_list(const struct file_node *dir)
{
	struct hermit_dirlist *list = calloc(1, sizeof(*list) + dir->nchild * sizeof(list->entry[0]));

	for (size_t i = 0; list && i < dir->nchild; i++) {
		list->entry[i].type = type_of(dir->child[i]);
		memcpy(list->entry[i].name, dir->child[i]->name, strlen(dir->child[i]->name) + 1);
		list->n++;
	}
	return list;
}

/* --- getdents */

enum { DIRENT_NAME = 19 };

static int64_t list_entries(struct hermit_file *f, uint8_t *buf, uint64_t len)
{
	uint64_t done = 0;

	while (f->offset < (int64_t)f->list->n) {
		const char *name = f->list->entry[f->offset].name;
		size_t size = align_up(DIRENT_NAME + strlen(name) + 1, 8);
		if (size > len - done)
			return done ? (int64_t)done : -EINVAL;
		uint8_t *e = buf + done;
		memset(e, 0, size);
		put_le64(e, 1);
		put_le64(e + 8, (uint64_t)f->offset + 1); /* where a seek would go on */
		put_le16(e + 16, (uint16_t)size);
		e[18] = f->list->entry[f->offset].type;
		memcpy(e + DIRENT_NAME, name, strlen(name));
		f->offset++;
		done += size;
	}
	return (int64_t)done;
}

int64_t hermit_getdents(struct hermit *h, int fd, void *buf, uint64_t len)
{
	struct hermit_file *f = hermit_file_find(h, fd);
	int64_t r;

	if (!f || f->kind == HERMIT_FILE_MEMORY)
		return -EBADF;
	if (f->kind == HERMIT_FILE_DIR) {
		r = list_entries(f, buf, len);
	} else {
		r = syscall(SYS_getdents64, f->fd, buf, len > INT32_MAX ? (unsigned)INT32_MAX : (unsigned)len);
		r = r < 0 ? -errno : r;
	}
	return r < 0 ? -hermit_errno((int)r, OTHER) : r;
}

/* --- attributes */

static void put_time(uint8_t *p, const struct timespec *t)
{
	put_le64(p, (uint64_t)t->tv_sec);
	put_le32(p + 8, (uint32_t)t->tv_nsec);
	put_le32(p + 12, 0);
}

static void put_attributes(uint8_t *p, const struct stat *st)
{
	put_le64(p, st->st_dev);
	put_le64(p + 8, st->st_ino);
	put_le64(p + 16, st->st_nlink);
	put_le32(p + 24, st->st_mode);
	put_le32(p + 28, st->st_uid);
	put_le32(p + 32, st->st_gid);
	put_le32(p + 36, 0);
	put_le64(p + 40, st->st_rdev);
	put_le64(p + 48, (uint64_t)st->st_size);
	put_le64(p + 56, (uint64_t)st->st_blksize);
	put_le64(p + 64, (uint64_t)st->st_blocks);
	put_time(p + 72, &st->st_atim);
	put_time(p + 88, &st->st_mtim);
	put_time(p + 104, &st->st_ctim);
}

static void virtual_file(struct stat *st, size_t len)
{
	*st = (struct stat){.st_mode = S_IFREG | 0444, .st_nlink = 1, .st_blksize = BLOCK};
	st->st_size = (off_t)len;
	st->st_blocks = (blkcnt_t)((len + 511) / 512);
}

static void virtual_dir(struct stat *st)
{
	*st = (struct stat){.st_mode = S_IFDIR | 0755, .st_nlink = 2, .st_blksize = BLOCK};
}

static int stat_path(struct hermit *h, const char *path, bool follow, struct stat *st)
{
	struct file_place at;
	int r = h->params->files ? filemap_find(h->params->files, path, &at) : -ENOENT;

	if (r < 0)
		return r;
	switch (at.node->kind) {
	case FILE_DIR:
		if (!at.exact)
			return -ENOENT;
		virtual_dir(st);
		return 0;
	case FILE_MEMORY:
		virtual_file(st, at.node->len);
		return 0;
	case FILE_HOST:
		return hostfs_stat(at.node->fd, at.node->host, false, st);
	case FILE_HOST_DIR:
		return hostfs_stat(at.node->fd, at.rest, follow, st);
	}
	return -ENOENT;
}

int hermit_stat(struct hermit *h, const char *path, bool follow, uint8_t *attr)
{
	struct stat st;
	int r = stat_path(h, path, follow, &st);

	if (r < 0)
		return hermit_errno(r, OTHER);
	put_attributes(attr, &st);
	return 0;
}

int hermit_fstat(struct hermit *h, int fd, uint8_t *attr)
{
	struct hermit_file *f = hermit_file_find(h, fd);
	struct stat st;

	if (!f)
		return EBADF;
	if (f->kind == HERMIT_FILE_MEMORY)
		virtual_file(&st, f->len);
	else if (f->kind == HERMIT_FILE_DIR)
		virtual_dir(&st);
	else if (fstat(f->fd, &st) < 0)
		return hermit_errno(errno, OTHER);
	put_attributes(attr, &st);
	return 0;
}

/* --- mkdir */

static int make_new(struct gyve_filemap *map, struct file_place *at)
{
	struct file_node *n;
	int r;

	if (map->temp_fd < 0)
		return -ENOENT;
	n = filemap_add_temp(map, at, FILE_HOST_DIR);
	if (!n)
		return -EPERM;
	r = hostfs_mkdir(map->temp_fd, n->host, 0777);
	if (r == 0)
		r = n->fd = hostfs_open(map->temp_fd, n->host, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
	if (r < 0)
		filemap_remove(map, n);
	return r < 0 ? r : 0;
}

static int make_dir(struct hermit *h, const char *path)
{
	struct gyve_filemap *map = h->params->files;
	struct file_place at;
	int r = map ? filemap_find(map, path, &at) : -ENOENT;

	if (r == -ENOENT && map) /* below a file */
		return -EINVAL;
	if (r < 0)
		return r;
	switch (at.node->kind) {
	case FILE_DIR:
		return at.exact ? -EEXIST : make_new(map, &at);
	case FILE_MEMORY:
		return -EROFS;
	case FILE_HOST:
		return at.node->readonly ? -EROFS : at.node->missing ? hostfs_mkdir(at.node->fd, at.node->host, 0777) : -EEXIST;
	case FILE_HOST_DIR:
		if (at.exact)
			return -EEXIST;
		return at.node->readonly ? -EROFS : hostfs_mkdir(at.node->fd, at.rest, 0777);
	}
	return -ENOENT;
}

int hermit_mkdir(struct hermit *h, const char *path)
{
	int r = make_dir(h, path);

	return r < 0 ? hermit_errno(r, OTHER) : 0;
}
