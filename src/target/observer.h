/* Private to src/target: a second debugger, which looks on: a session of its own over a view of the target that nothing can be
 * changed through. It sees registers and memory as they are when it asks, whether or not the guest runs. Session thread. */
#ifndef GYVE_OBSERVER_H
#define GYVE_OBSERVER_H
#include "stub_glue.h"

enum { OBSERVER_MAX = 4 };

struct observer;
/** fd becomes its own. -ENOMEM; it is closed then, too. */
int observer_open(struct observer **ret, struct gyve_target *of, int fd);
/** What to poll for. */
void observer_poll(const struct observer *o, int *fd, short *events);
/** Read, answer. false: it has gone. */
bool observer_serve(struct observer *o);
/** NULL ok. */
void observer_close(struct observer *o);
#endif
