// What bytes cost, read as a stream: the state is carried from the beginning of a document to its end; beyond the
// trained context attention slides. This is what a program that runs the model gets.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "statera/data.hpp"
#include "statera/model.hpp"
#include "statera/session.hpp"

namespace statera {

// Gets the bytes read and their costs in nats, piece by piece; false ends the reading.
using CostSink = std::function<bool(std::span<const uint8_t> bytes, const std::vector<float>& nats)>;

// The first `max_bytes` of the source; each document begins from nothing.
void stream_costs(Session& session, const ByteSource& source, int64_t max_bytes, const CostSink& sink);

// The same as one list [bytes]; shorter if `stop` ended it.
std::vector<float> stream_cost(const Model& model, const ByteSource& source, int64_t max_bytes,
                               const std::function<bool()>& stop = {});

std::span<const uint8_t> longest_document(const ByteSource& source);
std::vector<int32_t> ids_of(std::span<const uint8_t> bytes);

}  // namespace statera
