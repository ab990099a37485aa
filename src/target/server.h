/* Private to src/target: where debuggers connect (server_open.c), for the loop that serves them (server.c). */
#ifndef GYVE_SERVER_H
#define GYVE_SERVER_H
#include "gyve/target.h"

struct gyve_server {
	struct gyve_listen where;
	char address[300];
	int listen_fd;    /**< -1: stdio or tty */
	int refused;      /**< a second client, which is told so when it speaks; -1 none */
	int in, out;      /**< the client; -1 none. The same fd unless stdio */
	int old_in_flags; /**< stdio: restored at the end, the file is shared with whoever started us */
	bool once_used;
	bool unlink_path;
};

void server_close_client(struct gyve_server *s);
#endif
