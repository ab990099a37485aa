/* The tree of guest paths. Host files are in hostfs.c, what a guest does with them in files.c and dirs.c. */
#include "config.h"

#include "filemap.h"

#include "../base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { MOST_NODES = 1 << 16 }; /* a guest can make new ones */

int gyve_filemap_create(struct gyve_filemap **ret)
{
	struct gyve_filemap *map = calloc(1, sizeof(*map));

	if (!map)
		return -ENOMEM;
	map->root.kind = FILE_DIR;
	map->root.fd = map->root.grant_fd = -1;
	map->temp_parent_fd = map->temp_fd = -1;
	*ret = map;
	return 0;
}

static void free_node(struct file_node *n)
{
	for (size_t i = 0; i < n->nchild; i++)
		free_node(n->child[i]);
	free(n->child);
	if (n->fd >= 0 && (!n->temp || n->kind == FILE_HOST_DIR))
		close(n->fd);
	if (n->grant_fd >= 0)
		close(n->grant_fd);
	free(n->name);
	free(n->host);
	if (n->parent)
		free(n);
}

void gyve_filemap_destroy(struct gyve_filemap *map)
{
	if (!map)
		return;
	free_node(&map->root);
	if (map->temp_fd >= 0) {
		close(map->temp_fd);
		hostfs_remove_tree(map->temp_parent_fd, map->temp_name);
	}
	if (map->temp_parent_fd >= 0)
		close(map->temp_parent_fd);
	free(map->temp_name);
	free(map);
}

/* --- paths */

/* Bytes of the UTF-8 sequence at s, 0 if it is none. */
static size_t utf8_sequence(const unsigned char *s)
{
	size_t n = s[0] < 0x80                   ? 1
		   : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		   : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		   : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong, surrogates, beyond the last */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

static bool is_utf8(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	for (; *s; s += n)
		if ((n = utf8_sequence(s)) == 0)
			return false;
	return true;
}

/* Components with one slash between them, none before the first; `..` at the root stays there. */
static int clean(const char *path, char ret[PATH_MAX])
{
	size_t len = 0;

	if (!is_utf8(path))
		return -EINVAL;
	while (*path) {
		size_t n = strcspn(path, "/");
		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (len && ret[--len] != '/')
				;
		} else if (n && !(n == 1 && path[0] == '.')) {
			if (n > NAME_MAX || len + n + 2 > PATH_MAX)
				return -ENAMETOOLONG;
			if (len)
				ret[len++] = '/';
			memcpy(ret + len, path, n);
			len += n;
		}
		path += n + (path[n] == '/');
	}
	ret[len] = '\0';
	return 0;
}

/* --- the tree */

/* The place among the children of dir where the name of len bytes is or would be. */
static size_t child_place(const struct file_node *dir, const char *name, size_t len, bool *found)
{
	size_t lo = 0, hi = dir->nchild;

	*found = false;
	while (lo < hi && !*found) {
		size_t mid = (lo + hi) / 2;
		const char *have = dir->child[mid]->name;
		int c = strncmp(have, name, len);
		if (c == 0 && have[len])
			c = 1;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
		*found = c == 0;
	}
	return hi;
}

int filemap_find(struct gyve_filemap *map, const char *path, struct file_place *ret)
{
	int r = clean(path, ret->path);

	if (r < 0)
		return r;
	ret->node = &map->root;
	ret->rest = ret->path;
	while (*ret->rest && ret->node->kind == FILE_DIR) {
		size_t len = strcspn(ret->rest, "/");
		bool found;
		size_t i = child_place(ret->node, ret->rest, len, &found);
		if (!found)
			break;
		ret->node = ret->node->child[i];
		ret->rest += len + (ret->rest[len] == '/');
	}
	ret->exact = !*ret->rest;
	return !ret->exact && (ret->node->kind == FILE_HOST || ret->node->kind == FILE_MEMORY) ? -ENOENT : 0;
}

static struct file_node *add_child(struct gyve_filemap *map, struct file_node *dir, const char *name, size_t len,
				   enum file_kind kind)
{
	bool found;
	size_t at = child_place(dir, name, len, &found);
	struct file_node *n;

	if (found || map->nodes >= MOST_NODES || !(n = calloc(1, sizeof(*n))))
		return NULL;
	struct file_node **child = realloc(dir->child, (dir->nchild + 1) * sizeof(*child));
	if (child)
		dir->child = child;
	if (!child || !(n->name = strndup(name, len))) {
		free(n);
		return NULL;
	}
	n->kind = kind;
	n->parent = dir;
	n->fd = n->grant_fd = -1;
	memmove(child + at + 1, child + at, (dir->nchild - at) * sizeof(*child));
	child[at] = n;
	dir->nchild++;
	map->nodes++;
	return n;
}

void filemap_remove(struct gyve_filemap *map, struct file_node *node)
{
	struct file_node *dir = node->parent;
	bool found;

	if (!dir)
		return;
	size_t at = child_place(dir, node->name, strlen(node->name), &found);
	memmove(dir->child + at, dir->child + at + 1, (dir->nchild - at - 1) * sizeof(*dir->child));
	dir->nchild--;
	map->nodes--;
	free_node(node);
}

/* The leaf at a place that is not in the tree yet, and the directories on the way. Those stay if there is no room for it. */
static struct file_node *add_leaf(struct gyve_filemap *map, struct file_place *at, enum file_kind kind)
{
	struct file_node *n = at->node;
	const char *rest = at->rest;

	while (n && *rest) {
		size_t len = strcspn(rest, "/");
		bool last = !rest[len];
		n = add_child(map, n, rest, len, last ? kind : FILE_DIR);
		rest += len + !last;
	}
	return n;
}

struct file_node *filemap_add_temp(struct gyve_filemap *map, struct file_place *at, enum file_kind kind)
{
	char name[32];

	if (map->temp_fd < 0 || at->exact || at->node->kind != FILE_DIR)
		return NULL;
	snprintf(name, sizeof(name), "%llu", (unsigned long long)map->made++);
	_cleanup_free_ char *host = strdup(name);
	struct file_node *n = host ? add_leaf(map, at, kind) : NULL;
	if (!n)
		return NULL;
	n->temp = true;
	n->host = no_cleanup_ptr(host);
	n->fd = kind == FILE_HOST ? map->temp_fd : -1;
	return n;
}

/* A place for a new leaf, or a sentence. */
static int find_free(struct gyve_filemap *map, const char *guest, struct file_place *at, struct gyve_err *err)
{
	int r = filemap_find(map, guest, at);

	if (r == -EINVAL || r == -ENAMETOOLONG)
		return gyve_err_set(err, -EINVAL, "the guest path '%.200s' is %s", guest,
				    r == -EINVAL ? "not UTF-8" : "too long");
	if (!*at->path)
		return gyve_err_set(err, -EINVAL, "the guest path '%.200s' is empty: the root itself cannot be mapped", guest);
	if (r < 0 || at->node->kind != FILE_DIR)
		return gyve_err_set(err, -EINVAL, "the guest path '%.200s' is %s one that is mapped already", guest,
				    at->exact ? "" : "below");
	if (at->exact)
		return gyve_err_set(err, -EINVAL, "the guest path '%.200s' is taken: something is mapped below it", guest);
	return 0;
}

int gyve_filemap_add_memory(struct gyve_filemap *map, const char *guest, const void *data, size_t len, struct gyve_err *err)
{
	struct file_place at;
	int r = find_free(map, guest, &at, err);

	if (r < 0)
		return r;
	struct file_node *n = add_leaf(map, &at, FILE_MEMORY);
	if (!n)
		return gyve_err_set(err, -ENOMEM, "no memory for the file map");
	n->readonly = true;
	n->data = data;
	n->len = len;
	return 0;
}

/* --- host leaves */

/* HOST in canonical form: the file itself, or what is to be made in a directory that exists. NULL and errno. */
static char *canonical(const char *host, bool *missing)
{
	char *real = realpath(host, NULL), *ret = NULL;

	*missing = !real;
	if (real || errno != ENOENT)
		return real;
	_cleanup_free_ char *copy = strdup(host);
	size_t len = copy ? strlen(copy) : 0;
	while (len && copy[len - 1] == '/')
		copy[--len] = '\0';
	char *slash = copy ? strrchr(copy, '/') : NULL;
	const char *name = slash ? slash + 1 : copy;
	if (!name || !*name || strcmp(name, "..") == 0 || strcmp(name, ".") == 0) {
		errno = name ? ENOENT : ENOMEM;
		return NULL;
	}
	if (slash)
		*slash = '\0';
	_cleanup_free_ char *dir = realpath(!slash ? "." : *copy ? copy : "/", NULL);
	if (dir && asprintf(&ret, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name) < 0)
		ret = NULL;
	return ret;
}

static int open_host(struct file_node *n, char *real)
{
	char *slash = strrchr(real, '/');

	if (n->kind == FILE_HOST_DIR) {
		n->fd = open(real, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return n->fd < 0 ? -errno : 0;
	}
	n->host = strdup(slash + 1);
	*slash = '\0';
	n->fd = open(*real ? real : "/", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (!n->host || n->fd < 0)
		return n->host ? -errno : -ENOMEM;
	if (!n->missing)
		n->grant_fd = openat(n->fd, n->host, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return !n->missing && n->grant_fd < 0 ? -errno : 0;
}

static int add_host(struct gyve_filemap *map, const char *host, const char *guest, bool readonly, struct gyve_err *err)
{
	struct file_place at;
	struct stat st;
	bool missing;
	int r = find_free(map, guest, &at, err);

	if (r < 0)
		return r;
	_cleanup_free_ char *real = canonical(host, &missing);
	if (!real)
		return gyve_err_set(err, -EINVAL, "--file-mapping: %s: %s", host, strerror(errno));
	bool dir = !missing && stat(real, &st) == 0 && S_ISDIR(st.st_mode);
	struct file_node *n = add_leaf(map, &at, dir ? FILE_HOST_DIR : FILE_HOST);
	if (!n)
		return gyve_err_set(err, -ENOMEM, "no memory for the file map");
	n->readonly = readonly;
	n->missing = missing;
	r = open_host(n, real);
	if (r == 0)
		return 0;
	filemap_remove(map, n);
	return gyve_err_set(err, r, "--file-mapping: %s: %s", host, strerror(-r));
}

int gyve_filemap_add(struct gyve_filemap *map, const char *spec, struct gyve_err *err)
{
	_cleanup_free_ char *host = strdup(spec);
	char *guest = host ? strchr(host, ':') : NULL, *more = NULL;

	if (!host)
		return gyve_err_set(err, -ENOMEM, "no memory for the file map");
	if (guest) {
		*guest++ = '\0';
		if ((more = strchr(guest, ':')))
			*more++ = '\0';
	}
	if (!guest || !*host || !*guest || (more && strcmp(more, "ro") != 0))
		return gyve_err_set(err, -EINVAL, "'%.200s' is not a file mapping: write HOST:GUEST or HOST:GUEST:ro", spec);
	return add_host(map, host, guest, more != NULL, err);
}

/* --- the temporary directory */

int gyve_filemap_make_temp(struct gyve_filemap *map, const char *parent, struct gyve_err *err)
{
	const char *tmp = getenv("TMPDIR");
	_cleanup_free_ char *path = NULL;

	if (map->temp_fd >= 0)
		return 0;
	if (!parent)
		parent = tmp && *tmp ? tmp : "/tmp";
	if (asprintf(&path, "%s/gyve-XXXXXX", parent) < 0) {
		path = NULL;
		return gyve_err_set(err, -ENOMEM, "no memory for the file map");
	}
	map->temp_parent_fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (map->temp_parent_fd < 0 || !mkdtemp(path)) /* for nobody but us */
		return gyve_err_set(err, -errno, "cannot make a temporary directory in %s: %s", parent, strerror(errno));
	map->temp_name = strdup(strrchr(path, '/') + 1);
	if (map->temp_name)
		map->temp_fd = openat(map->temp_parent_fd, map->temp_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return map->temp_fd < 0 ? gyve_err_set(err, -errno, "cannot open the temporary directory %s: %s", path, strerror(errno))
				: 0;
}

void gyve_filemap_temp_flags(struct gyve_filemap *map, int flags)
{
	map->temp_flags = flags;
}

/* --- for others */

struct grants {
	struct gyve_grant *ret;
	size_t max, n;
};

static void grant(struct grants *g, int fd, unsigned rights)
{
	if (g->n < g->max)
		g->ret[g->n] = (struct gyve_grant){fd, rights};
	g->n++;
}

static void grant_node(const struct file_node *n, struct grants *g)
{
	for (size_t i = 0; i < n->nchild; i++)
		grant_node(n->child[i], g);
	if (n->temp || (n->kind != FILE_HOST_DIR && n->kind != FILE_HOST))
		return;
	if (n->kind == FILE_HOST_DIR) {
		grant(g, n->fd, n->readonly ? GYVE_GRANT_READ : GYVE_GRANT_ALL);
	} else if (n->missing) { /* a rule needs something that exists */
		if (!n->readonly)
			grant(g, n->fd, GYVE_GRANT_ALL);
	} else {
		grant(g, n->grant_fd, n->readonly ? GYVE_GRANT_READ : GYVE_GRANT_READ | GYVE_GRANT_WRITE);
		if (!n->readonly)
			grant(g, n->fd, GYVE_GRANT_REMOVE);
	}
}

ssize_t gyve_filemap_grants(struct gyve_filemap *map, struct gyve_grant *ret, size_t max)
{
	struct grants g = {ret, max, 0};

	grant_node(&map->root, &g);
	if (map->temp_fd >= 0) {
		grant(&g, map->temp_fd, GYVE_GRANT_ALL);
		grant(&g, map->temp_parent_fd, GYVE_GRANT_REMOVE);
	}
	return (ssize_t)g.n;
}

struct mounts {
	char *buf;
	size_t size, len;
};

static void add_mount(struct mounts *m, const char *path)
{
	size_t n = strlen(path) + 1;

	if (m->len < m->size)
		memcpy(m->buf + m->len, path, n < m->size - m->len ? n : m->size - m->len);
	m->len += n;
}

/* path: of n, with room to write behind it. */
static void find_mounts(const struct file_node *n, char *path, size_t len, struct mounts *m)
{
	bool has_file = false;

	for (size_t i = 0; i < n->nchild; i++)
		has_file |= n->child[i]->kind == FILE_HOST || n->child[i]->kind == FILE_MEMORY;
	if (n->parent && (n->kind == FILE_HOST_DIR || has_file))
		add_mount(m, path);
	for (size_t i = 0; i < n->nchild; i++) {
		size_t room = PATH_MAX + 1 - len;
		int more = snprintf(path + len, room, "/%s", n->child[i]->name);
		if (more > 0 && (size_t)more < room)
			find_mounts(n->child[i], path, len + (size_t)more, m);
		path[len] = '\0';
	}
}

size_t gyve_filemap_mounts(const struct gyve_filemap *map, char *buf, size_t size)
{
	struct mounts m = {buf, size, 0};
	char path[PATH_MAX + 1] = "";

	find_mounts(&map->root, path, 0, &m);
	return m.len;
}
