/* Text that vCPUs print for the client (breakpoint commands), on its way to the session thread. Nothing is dropped: a vCPU that
 * is faster than the client waits, unless the machine is to stop. */
#include "vmm.h"

#include "gyve/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	FULL = 256 << 10,     /* bytes from which on vCPUs wait */
	MAX_TEXT = 64 << 20,  /* none can get here in earnest: each adds one message while a stop is wanted */
	LOOK_AGAIN = 5000000, /* ns between looks at whether to stop */
};

int text_init(struct gyve_vm *vm, struct gyve_err *err)
{
	vm->text.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return vm->text.fd < 0 ? gyve_err_set(err, -errno, "cannot make an event descriptor: %s", strerror(errno)) : 0;
}

void text_deinit(struct gyve_vm *vm)
{
	if (vm->text.fd >= 0)
		close(vm->text.fd);
	free(vm->text.buf);
	pthread_cond_destroy(&vm->text.cond);
	pthread_mutex_destroy(&vm->text.lock);
}

/* text.lock is held. The session thread takes the text, and waits for vCPUs when it changes something: no longer then. */
static void wait_for_room(struct gyve_vm *vm)
{
	while (vm->text.len >= FULL && !__atomic_load_n(&vm->stop_wanted, __ATOMIC_SEQ_CST) &&
	       !__atomic_load_n(&vm->alone, __ATOMIC_SEQ_CST)) {
		struct timespec t;
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_nsec += LOOK_AGAIN;
		t.tv_sec += t.tv_nsec / 1000000000;
		t.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&vm->text.cond, &vm->text.lock, &t);
	}
}

static bool make_room(struct gyve_vm *vm, size_t len)
{
	size_t cap = vm->text.cap ? vm->text.cap : 4096;

	if (len > MAX_TEXT - vm->text.len)
		return false;
	while (cap < vm->text.len + len)
		cap *= 2;
	if (cap == vm->text.cap)
		return true;
	char *buf = realloc(vm->text.buf, cap);
	if (!buf)
		return false;
	vm->text.buf = buf;
	vm->text.cap = cap;
	return true;
}

void text_put(struct gyve_vm *vm, const char *text, size_t len)
{
	uint64_t one = 1;

	if (!len)
		return;
	pthread_mutex_lock(&vm->text.lock);
	wait_for_room(vm);
	bool first = !vm->text.len, room = make_room(vm, len);
	if (room) {
		memcpy(vm->text.buf + vm->text.len, text, len);
		vm->text.len += len;
	}
	pthread_mutex_unlock(&vm->text.lock);
	if (!room)
		gyve_log(GYVE_LOG_ERROR, GYVE_LOG_RUN, "no memory for what a breakpoint prints");
	else if (first && write(vm->text.fd, &one, sizeof(one)) < 0)
		gyve_log(GYVE_LOG_ERROR, GYVE_LOG_RUN, "cannot signal a text: %s", strerror(errno));
}

int gyve_vm_text_fd(struct gyve_vm *vm)
{
	return vm->text.fd;
}

size_t gyve_vm_take_text(struct gyve_vm *vm, char *buf, size_t size)
{
	uint64_t n;

	pthread_mutex_lock(&vm->text.lock);
	if (size > vm->text.len)
		size = vm->text.len;
	if (size) {
		memcpy(buf, vm->text.buf, size);
		vm->text.len -= size;
		memmove(vm->text.buf, vm->text.buf + size, vm->text.len);
	}
	if (!vm->text.len && read(vm->text.fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		gyve_log(GYVE_LOG_ERROR, GYVE_LOG_RUN, "cannot take a text: %s", strerror(errno));
	pthread_cond_broadcast(&vm->text.cond);
	pthread_mutex_unlock(&vm->text.lock);
	return size;
}
