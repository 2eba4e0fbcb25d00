/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of network devices. */
#include <linux/module.h>
#include <linux/netdevice.h>

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
