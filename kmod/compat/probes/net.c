/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of network devices. */
#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#ifdef HAVE_NET_XDP_H
#include <net/xdp.h>
#endif

#line 1 "BASELINE"
static inline void probe_baseline(void) { might_sleep(); }

#line 1 "HAVE_NETDEV_NOTIFIER_INFO"
static inline struct net_device *probe_notified(void *ptr) { return netdev_notifier_info_to_dev(ptr); }

#line 1 "HAVE_REGISTER_NETDEVICE_NOTIFIER_RH"
static inline int probe_notifier_rh(struct notifier_block *nb) { return register_netdevice_notifier_rh(nb); }

#line 1 "HAVE_REAL_NUM_RX_QUEUES"
static inline unsigned int probe_rx_queues(const struct net_device *dev) { return dev->real_num_rx_queues; }

#line 1 "HAVE_DEV_CORE_STATS"
static inline void probe_core_stats(struct net_device *dev) { dev_core_stats_rx_dropped_inc(dev); }

#line 1 "HAVE_XDP_BUFF_RXQ"
static inline struct net_device *probe_rxq(const struct xdp_buff *xdp) { return xdp->rxq->dev; }

#line 1 "HAVE_FIB_LOOKUP_OLD"
#ifdef CONFIG_IP_MULTIPLE_TABLES
static inline int probe_fib(struct net *net, struct flowi4 *fl, struct fib_result *res) { return __fib_lookup(net, fl, res) ? : FIB_RES_NH(*res).nh_gw; }
#else
static inline int probe_fib(struct net *net, struct flowi4 *fl, struct fib_result *res) { return fib_lookup(net, fl, res) ? : FIB_RES_NH(*res).nh_gw; }
#endif

#line 1 "HAVE_FIB_SELECT_PATH"
static inline void probe_select(struct net *net, struct fib_result *res, struct flowi4 *fl) { fib_select_path(net, res, fl, (const struct sk_buff *)NULL); }

#line 1 "HAVE_FIB_NH_LWTSTATE"
static inline const void *probe_nh_lwt(const struct fib_nh *nh) { return nh->nh_lwtstate; }

#line 1 "HAVE_RT6I_METRIC"
static inline u32 probe_rt6(struct net *net, struct flowi6 *fl) { return ((struct rt6_info *)ip6_route_lookup(net, fl, 0))->rt6i_metric; }

#line 1 "HAVE_DST_LWTSTATE"
static inline const void *probe_dst_lwt(const struct dst_entry *dst) { return dst->lwtstate; }
