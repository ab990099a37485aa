/* Private to src/cli: where a guest's console leads other than to gyve's own standard streams: a file, or a socket with one
 * client at a time. */
#ifndef GYVE_SERIAL_H
#define GYVE_SERIAL_H
#include "gyve/target.h"

#include <pthread.h>

enum { SERIAL_AHEAD = 64 << 10 }; /* bytes on their way to a client; what comes when they are full is lost */

struct serial {
	enum { SERIAL_STDIO, SERIAL_NULL, SERIAL_FILE, SERIAL_SOCKET } kind;
	bool open;
	int guest;                  /**< what the guest reads; -1: nothing; unless STDIO */
	int out;                    /**< FILE: appended to; -1: none */
	struct gyve_server *server; /**< SOCKET: where it listens */
	int epoll;                  /**< SOCKET: readable: call serial_poll() */
	int typed;                  /**< SOCKET: the other end of guest */
	/* below: lock */
	pthread_mutex_t lock;
	int client;            /**< -1: none */
	bool parked;           /**< it has gone, but what it typed is not all read */
	char in[1024], *ahead; /**< from the client, for typed; for the client */
	size_t in_len, ahead_len;
};

/** "stdio", "null", "file:[PATH][,input=PATH]", "unix:PATH", "tcp:[HOST:]PORT". -EINVAL and others, with a sentence; closed
 * then. */
int serial_open(struct serial *s, const char *spec, struct gyve_err *err);
/** What is wrong with it, if anything; opens nothing. -EINVAL. */
int serial_check(const char *spec, struct gyve_err *err);
/** Where a client connects: "unix:PATH" or "HOST:PORT"; NULL: there are no clients. */
const char *serial_address(const struct serial *s);
/** What the guest says. Any thread. false: nobody is there to take it. */
bool serial_write(struct serial *s, const void *buf, size_t len);
/** Clients come, type, go. The session thread. */
void serial_poll(struct serial *s);
/** What its client has not read goes within a second, or is lost. One that was never opened: nothing. */
void serial_close(struct serial *s);
#endif
