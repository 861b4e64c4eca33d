// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Where a PCI device is in the machine. The only code that knows hwloc.
#ifndef BERTH_TOPOLOGY_H
#define BERTH_TOPOLOGY_H

#include <stddef.h>

#include "logic/err.h"

struct topology;

// Looks at the machine, or reads the topology in the file XML, if that is
// not NULL. Some 10 to 100 ms. Returns a new handle, or NULL with ERR set.
struct topology *topology_open(const char *xml, struct berth_err *err);
void topology_close(struct topology *topology); // NULL is fine

// Finds the PCI device BUSID ("0000:34:00.0"): its NUMA node (-1 if it is
// near several or none) and, in CORES, the nearest processing units as a
// list, "0-7,16-23", cut behind a whole range if it does not fit. 0, or -1
// with ERR set (BERTH_ENOTFOUND).
int topology_locate(const struct topology *topology, const char *busid,
                    int *numa, char *cores, size_t size, struct berth_err *err);

#endif
