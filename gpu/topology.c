// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the machine as hwloc sees it, or a file of the caller's choice.

#include "gpu/topology.h"

#include <errno.h>
#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct topology {
    hwloc_topology_t hwloc;
};

struct topology *topology_open(const char *xml, struct berth_err *err)
{
    struct topology *topology = calloc(1, sizeof(*topology));

    if (!topology || hwloc_topology_init(&topology->hwloc) < 0) {
        err_set(err, BERTH_ENOMEM, "hwloc cannot be used: memory is out");
        free(topology);
        return NULL;
    }
    if ((xml && hwloc_topology_set_xml(topology->hwloc, xml) < 0) ||
        hwloc_topology_set_io_types_filter(
            topology->hwloc, HWLOC_TYPE_FILTER_KEEP_IMPORTANT) < 0 ||
        hwloc_topology_load(topology->hwloc) < 0) {
        err_set(err, BERTH_ESYS, "hwloc cannot read the machine's topology");
        topology_close(topology);
        return NULL;
    }
    return topology;
}

void topology_close(struct topology *topology)
{
    if (!topology)
        return;
    hwloc_topology_destroy(topology->hwloc);
    free(topology);
}

int topology_locate(const struct topology *topology, const char *busid,
                    int *numa, char *cores, size_t size, struct berth_err *err)
{
    hwloc_obj_t obj = hwloc_get_pcidev_by_busidstring(topology->hwloc, busid);

    if (!obj)
        return err_set(err, BERTH_ENOTFOUND,
                       "hwloc sees no PCI device %s in this machine", busid);
    hwloc_obj_t near = hwloc_get_non_io_ancestor_obj(topology->hwloc, obj);
    if (!near)
        return err_set(err, BERTH_ENOTFOUND,
                       "hwloc does not know where PCI device %s is", busid);
    *numa = hwloc_bitmap_weight(near->nodeset) == 1
                ? hwloc_bitmap_first(near->nodeset)
                : -1;
    int n = hwloc_bitmap_list_snprintf(cores, size, near->cpuset);
    if (n < 0 || (size_t)n >= size) {
        char *comma = strrchr(cores, ',');
        *(comma ? comma : cores) = 0;
    }
    return 0;
}
