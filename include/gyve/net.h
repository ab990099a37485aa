/* Where a guest's network card leads: a tap interface of the host, or a network in user space behind gyve's own sockets. Opened
 * before isolation begins; then only the loop's thread uses it. */
#ifndef GYVE_NET_H
#define GYVE_NET_H
#include "gyve/error.h"
#include "gyve/types.h"

enum { GYVE_NET_FORWARDS = 16, GYVE_NET_MTU_MIN = 68, GYVE_NET_MTU_MAX = 65500 };
enum gyve_net_kind { GYVE_NET_NONE, GYVE_NET_TAP, GYVE_NET_USER };

struct gyve_net_options {
	enum gyve_net_kind kind;
	char interface[16]; /**< of TAP */
	bool mac_given;
	uint8_t mac[6];   /**< of the guest's card */
	unsigned mtu;     /**< 0: the interface's, or 1500 */
	bool restricted;  /**< USER: the guest reaches only what is forwarded to it */
	const char *pcap; /**< a file for all frames; owned; NULL: none */
	unsigned nforwards;
	struct gyve_net_forward {
		bool udp;
		uint32_t host, guest; /**< addresses as numbers (10.0.5.3 is 0x0a000503); guest 0: the first one it may have */
		uint16_t host_port, guest_port;
	} forward[GYVE_NET_FORWARDS];
};

/** "tap[:NAME]" or "user", then ",KEY=VALUE"s: mac, mtu, pcap (both), hostfwd, restrict (user). -EINVAL and a sentence;
 * -ENOMEM. */
int gyve_net_parse(struct gyve_net_options *ret, const char *spec, struct gyve_err *err);
void gyve_net_options_deinit(struct gyve_net_options *o);

struct gyve_net;
/** -ENOSYS: built without user networking; else what the host said, with a sentence. */
int gyve_net_open(struct gyve_net **ret, const struct gyve_net_options *o, struct gyve_err *err);
/** NULL ok. */
void gyve_net_close(struct gyve_net *n);
/** Is user networking built in? */
bool gyve_net_has_user(void);
#endif
