/* What the VM gives to its platform's devices. */
#include "vmm.h"

#include <errno.h>
#include <string.h>

static int dev_irq(void *ctx, unsigned line, bool level)
{
	struct gyve_vm *vm = ctx;
	return vm->ops->irq ? vm->ops->irq(vm->b, line, level) : -ENOTSUP;
}

static int dev_msi(void *ctx, uint64_t addr, uint32_t data)
{
	struct gyve_vm *vm = ctx;
	return vm->ops->msi ? vm->ops->msi(vm->b, addr, data) : -ENOTSUP;
}

int dev_init(struct gyve_vm *vm, struct gyve_err *err)
{
	if (vm->opt.boot.net && !vm->platform->has_network)
		return gyve_err_set(err, -ENOEXEC, "%s: there is no network for %s guests", vm->opt.boot.path,
				    vm->platform->name);
	if (!vm->platform->attach)
		return 0;
	int r = gyve_loop_create(&vm->dev.loop);
	if (r < 0)
		return gyve_err_set(err, r, "no room for devices: %s", strerror(-r));
	vm->dev.irq = dev_irq;
	vm->dev.msi = dev_msi;
	vm->dev.map = &vm->map;
	vm->dev.ctx = vm;
	return vm->platform->attach(vm->platform_state, &vm->dev, err);
}

int dev_start(struct gyve_vm *vm, struct gyve_err *err)
{
	if (!vm->dev.loop || gyve_loop_idle(vm->dev.loop)) /* no device waits for anything outside */
		return 0;
	return gyve_loop_start(vm->dev.loop, vm->opt.isolate_devices, vm->opt.isolate_ctx, err);
}

void dev_pause(struct gyve_vm *vm)
{
	if (vm->dev.loop)
		gyve_loop_pause(vm->dev.loop);
}

void dev_resume(struct gyve_vm *vm)
{
	if (vm->dev.loop)
		gyve_loop_resume(vm->dev.loop);
}

/* From here on no callback runs: the devices may go. */
void dev_stop(struct gyve_vm *vm)
{
	dev_pause(vm);
}

void dev_deinit(struct gyve_vm *vm)
{
	gyve_loop_destroy(vm->dev.loop);
}
