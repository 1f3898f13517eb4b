// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "simulation/sim_network.h"
#include "transport/transport.h"

namespace drumbeat::simulation {

/// A transport that is made of the library's own parts for connections (links with their queues,
/// breakers and frames, incoming connections, outgoing snapshots), over simulated connections
/// instead of sockets.
std::unique_ptr<transport::Transport> MakeStreamTransport(SimNetwork& network, std::string address);

}  // namespace drumbeat::simulation
