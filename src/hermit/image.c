/* The Hermit platform's row: from an image to a machine that can run it. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "gyve/filemap.h"
#include "hermit.h"

static bool probe(const struct gyve_elf *elf)
{
	const uint8_t *desc;

	/* Damaged notes are ours to complain about if the file cannot be anything else. */
	return gyve_elf_note(elf, "HERMIT", 0x5a00, &desc) != -ENOENT || elf->dyn;
}

static int plan(const struct gyve_elf *elf, const struct gyve_boot_params *params, const struct gyve_sink *out,
		struct gyve_layout *layout, void **state, struct gyve_err *err)
{
	struct hermit *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	h->elf = elf;
	h->params = params;
	h->out = *out;
	if ((r = hermit_read_notes(h, err)) < 0 || (r = hermit_place(h, err)) < 0 ||
	    (params->files && (r = gyve_filemap_make_temp(params->files, params->tempdir, err)) < 0)) {
		free(h);
		return r;
	}
	pthread_mutex_init(&h->lock, NULL);
	hermit_fill_layout(h, layout);
	*state = h;
	return 0;
}

static int load(void *state, const struct gyve_memmap *map, struct gyve_err *err)
{
	struct hermit *h = state;
	uint64_t bias = h->elf->dyn ? h->ka : 0;
	int r;

	h->map = map;
	hermit_devices_reset(h);
	hermit_files_close(h);
	if ((r = gyve_elf_copy(h->elf, map, bias, false, err)) < 0 ||
	    (h->elf->dyn && (r = gyve_elf_relocate(h->elf, map, bias, err)) < 0))
		return r;
	if (h->initrd &&
	    gyve_memmap_write(map, h->initrd, h->params->initrd, h->params->initrd_len) != (ssize_t)h->params->initrd_len)
		return gyve_err_set(err, -ENOEXEC, "guest memory is missing");
	r = h->elf->machine == EM_X86_64 ? hermit_tables_x86_64(h, err) : hermit_tables_aarch64(h, err);
	if (r == 0)
		r = hermit_write_fdt(h, err);
	return r < 0 ? r : hermit_write_boot_info(h, err);
}

static void destroy(void *state)
{
	struct hermit *h = state;

	hermit_devices_destroy(h);
	hermit_files_close(h);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

const struct gyve_platform_ops gyve_platform_hermit = {
	.name = "hermit",
	.brand = "uhyve - unikernel hypervisor",
	.has_network = true,
	.first_steps = 48, /* to the point where a kernel for one processor has sent the others to sleep */
	.probe = probe,
	.plan = plan,
	.load = load,
	.cpu_init = hermit_cpu_init,
	.attach = hermit_attach,
	.access = hermit_access,
	.call_number = hermit_call_number,
	.call_row = hermit_call_row,
	.call_count = hermit_call_count,
	.destroy = destroy,
};
