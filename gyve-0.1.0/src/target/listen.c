/* LISTEN: the text that says where a debugger may connect. Pure. */
#include "gyve/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_path(struct gyve_listen *l, enum gyve_listen_kind kind, const char *path, struct gyve_err *err)
{
	size_t len = strlen(path);

	if (len == 0)
		return gyve_err_set(err, -EINVAL, "a path is missing after 'unix:' or 'tty:'");
	if (len >= sizeof(l->path))
		return gyve_err_set(err, -EINVAL, "the path of a socket has at most %zu characters", sizeof(l->path) - 1);
	l->kind = kind;
	memcpy(l->path, path, len + 1);
	return 0;
}

static int set_port(struct gyve_listen *l, const char *port, const char *spec, struct gyve_err *err)
{
	size_t len = strspn(port, "0123456789");

	if (len == 0 || len > 5 || port[len] || strtoul(port, NULL, 10) > 65535)
		return gyve_err_set(err, -EINVAL,
				    "'%s' is not a place to listen: PORT (0..65535), HOST:PORT, unix:PATH, stdio or tty:PATH",
				    spec);
	snprintf(l->port, sizeof(l->port), "%s", port);
	return 0;
}

int gyve_listen_parse(struct gyve_listen *ret, const char *spec, struct gyve_err *err)
{
	struct gyve_listen l = {.kind = GYVE_LISTEN_TCP, .host = "127.0.0.1"};
	const char *colon, *host = spec;
	size_t len;
	int res = 0;

	snprintf(l.port, sizeof(l.port), "%d", GYVE_GDB_PORT);
	if (!spec || !*spec) {
		*ret = l;
		return 0;
	}
	if (strncmp(spec, "unix:", 5) == 0) {
		res = set_path(&l, GYVE_LISTEN_UNIX, spec + 5, err);
	} else if (strncmp(spec, "tty:", 4) == 0) {
		res = set_path(&l, GYVE_LISTEN_TTY, spec + 4, err);
	} else if (strcmp(spec, "stdio") == 0 || strcmp(spec, "-") == 0) {
		l.kind = GYVE_LISTEN_STDIO;
	} else if ((colon = strrchr(spec, ':')) != NULL) {
		len = (size_t)(colon - spec);
		if (len >= 2 && spec[0] == '[' && colon[-1] == ']') {
			host++;
			len -= 2;
		}
		if (len >= sizeof(l.host))
			return gyve_err_set(err, -EINVAL, "the host name in '%.40s...' is too long", spec);
		if (len) {
			memcpy(l.host, host, len);
			l.host[len] = '\0';
		}
		res = set_port(&l, colon + 1, spec, err);
	} else {
		res = set_port(&l, spec, spec, err);
	}
	if (res == 0)
		*ret = l;
	return res;
}
