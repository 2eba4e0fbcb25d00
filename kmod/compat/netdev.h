/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Network devices: what the kernel tells of one that comes or goes.
 */
#ifndef BPFCOMPAT_COMPAT_NETDEV_H
#define BPFCOMPAT_COMPAT_NETDEV_H

#include "compat.h"
#include <linux/netdevice.h>

/* What a notifier is given. RHEL 7 knows the later way, too, but under another name: this one is the old one there. */
static inline struct net_device *compat_notified_dev(void *ptr)
{
#if defined(HAVE_NETDEV_NOTIFIER_INFO) && !defined(HAVE_REGISTER_NETDEVICE_NOTIFIER_RH)
	return netdev_notifier_info_to_dev(ptr);
#else
	return ptr;
#endif
}

/* How many queues the device has for what it receives. */
static inline unsigned int compat_rx_queues(const struct net_device *dev)
{
#ifdef HAVE_REAL_NUM_RX_QUEUES
	return dev->real_num_rx_queues;
#else
	return 1;
#endif
}

/* Counts a packet that the device did not take. */
static inline void compat_count_rx_dropped(struct net_device *dev)
{
#ifdef HAVE_DEV_CORE_STATS
	dev_core_stats_rx_dropped_inc(dev);
#else
	atomic_long_inc(&dev->rx_dropped);
#endif
}

#endif
