/* A directory of a test's own on the host, removed at its end. */
#ifndef TREE_H
#define TREE_H
#include <stdbool.h>

struct tree {
	char path[64];
	int fd;
};
/* 0 or -1. */
int tree_make(struct tree *t);
void tree_remove(struct tree *t);
/* A file with this text, below the tree; false: it cannot be written. */
bool tree_write(struct tree *t, const char *name, const char *text);
/* Does it exist and hold this text? */
bool tree_holds(struct tree *t, const char *name, const char *text);
bool tree_exists(struct tree *t, const char *name);
#endif
