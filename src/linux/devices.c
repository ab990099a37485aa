/* See devices.h. */
#include "devices.h"

#include "../dev/virtio_blk.h"
#include "../dev/virtio_console.h"
#include "../dev/virtio_net.h"
#include "../dev/virtio_rng.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

unsigned linux_devices_count(const struct gyve_boot_params *params)
{
	unsigned n = 1 + params->virtio_console + (params->net != NULL); /* random numbers always */

	for (const char *const *d = params->disks; d && *d; d++)
		n++;
	return n;
}

struct place {
	struct linux_devices *l;
	struct gyve_bus *bus;
	uint64_t gpa;
	unsigned line;
};

/* r: what making d came to. d is l's from here on. */
static int add(const struct place *p, int r, struct virtio *d, void (*destroy)(struct virtio *), struct gyve_err *err)
{
	unsigned i = p->l->n;

	if (r == 0) {
		virtio_mmio_init(&p->l->dev[i].mmio, d, p->line + i);
		p->l->dev[i].destroy = destroy;
		p->l->n++;
		r = gyve_bus_add(p->bus, false, p->gpa + (uint64_t)i * VIRTIO_MMIO_LEN, VIRTIO_MMIO_LEN, virtio_mmio_access,
				 &p->l->dev[i].mmio);
	}
	return r < 0 ? gyve_err_set(err, r, "cannot make the guest's devices: %s", strerror(-r)) : 0;
}

static int add_net(const struct place *p, struct gyve_net *net, const struct gyve_dev_host *host, struct gyve_err *err)
{
	struct virtio_net *n = NULL;
	int r = virtio_net_create(&n, net, host);
	unsigned i = p->l->n;

	r = add(p, r, r == 0 ? virtio_net_device(n) : NULL, NULL, err);
	if (p->l->n > i)
		p->l->net = n;
	return r;
}

static int add_disk(const struct place *p, const struct gyve_dev_host *host, const char *spec, unsigned nth,
		    struct gyve_err *err)
{
	struct virtio *d = NULL;
	struct disk *disk;
	char id[20];
	int r = disk_open(&disk, spec, err);

	if (r < 0)
		return r;
	snprintf(id, sizeof(id), "disk%u", nth);
	r = virtio_blk_create(&d, host, disk, id);
	return add(p, r, d, virtio_blk_destroy, err);
}

int linux_devices_create(struct linux_devices *l, const struct gyve_boot_params *params, const struct gyve_dev_host *host,
			 const struct gyve_sink *out, struct gyve_bus *bus, uint64_t gpa, unsigned line, unsigned max,
			 struct gyve_err *err)
{
	struct place p = {l, bus, gpa, line};
	struct virtio *d = NULL;
	int r;

	if (max > LINUX_DEVICES_MAX)
		max = LINUX_DEVICES_MAX;
	if (linux_devices_count(params) > max)
		return gyve_err_set(err, -EINVAL, "a Linux guest has at most %u virtio devices", max);
	r = virtio_rng_create(&d, host);
	r = add(&p, r, d, virtio_rng_destroy, err);
	if (r == 0 && params->virtio_console) {
		r = virtio_console_create(&d, host, out, linux_input(params));
		r = add(&p, r, d, virtio_console_destroy, err);
	}
	if (r == 0 && params->net)
		r = add_net(&p, params->net, host, err);
	for (unsigned i = 0; r == 0 && params->disks && params->disks[i]; i++)
		r = add_disk(&p, host, params->disks[i], i, err);
	return r;
}

void linux_devices_reset(struct linux_devices *l)
{
	for (unsigned i = 0; i < l->n; i++)
		virtio_mmio_reset(&l->dev[i].mmio);
}

void linux_devices_destroy(struct linux_devices *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->dev[i].destroy)
			l->dev[i].destroy(l->dev[i].mmio.d);
	virtio_net_destroy(l->net);
	l->net = NULL;
	l->n = 0;
}

int linux_input(const struct gyve_boot_params *params)
{
	return params->no_input ? -1 : params->terminal ? params->terminal : STDIN_FILENO;
}

static bool add_word(char *buf, size_t size, const char *word)
{
	size_t have = strlen(buf), n = strlen(word), space = have && n ? 1 : 0;

	if (n + space >= size - have)
		return false;
	if (space)
		buf[have++] = ' ';
	memcpy(buf + have, word, n + 1);
	return true;
}

int linux_cmdline(const struct gyve_boot_params *params, char *buf, size_t size, struct gyve_err *err)
{
	buf[0] = '\0';
	bool fits = add_word(buf, size, params->append ? params->append : "");

	for (const char *const *a = params->args; a && *a; a++)
		if (strcmp(*a, "--") != 0 || a != params->args)
			fits = fits && add_word(buf, size, *a);
	return fits ? 0 : gyve_err_set(err, -ENOEXEC, "the kernel's command line is longer than %zu bytes", size - 1);
}

bool linux_has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; (p = strstr(p, word)) != NULL; p += n)
		if ((p == text || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
	return false;
}
