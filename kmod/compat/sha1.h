/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's step of SHA-1 (FIPS 180-4, section 6.1.2): name and header have changed over time, what it does has not.
 */
#ifndef BPFCOMPAT_COMPAT_SHA1_H
#define BPFCOMPAT_COMPAT_SHA1_H

#define COMPAT_SHA1_WORKSPACE 16	/* words that it works in */

#if defined(HAVE_CRYPTO_SHA1_H)
#include <crypto/sha1.h>
#define compat_sha1_transform sha1_transform
#elif defined(HAVE_LINUX_CRYPTOHASH_H)
#include <linux/cryptohash.h>
#define compat_sha1_transform sha_transform
#else
#include <crypto/sha.h>
#define compat_sha1_transform sha1_transform
#endif

#endif
