// The cost of bytes that are read as a stream, as a program that runs the model does: the state is carried from the
// beginning of a document to its end, and beyond the trained context attention sees a sliding window.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "statera/data.hpp"
#include "statera/model.hpp"
#include "statera/online.hpp"
#include "statera/session.hpp"

namespace statera {

// Receives the bytes and their costs in nats, piece by piece; the cost of a token is spread over its bytes. False ends
// the reading.
using CostSink = std::function<bool(std::span<const uint8_t> bytes, const std::vector<float>& nats)>;

// Who gets the predictions of these bytes (Session::Predicted) while they are read; for models over bytes only.
using PredictionsOf = std::function<Session::Predicted(std::span<const uint8_t> bytes)>;

// Reads the first `max_bytes` of the source. Each document begins from an empty state.
void stream_costs(Session& session, const ByteSource& source, int64_t max_bytes, const CostSink& sink,
                  const PredictionsOf& each = {});
// The same with a model that learns while it reads. If it has read something before, the first document is another one.
void stream_costs(OnlineModel& model, const ByteSource& source, int64_t max_bytes, const CostSink& sink,
                  const PredictionsOf& each = {});

// Returns the costs [bytes], fewer if stopped.
std::vector<float> stream_cost(const Model& model, const ByteSource& source, int64_t max_bytes,
                               const std::function<bool()>& stop = {});

std::span<const uint8_t> longest_document(const ByteSource& source);
// What the model reads of these bytes.
UnitIds ids_of(const Model& model, std::span<const uint8_t> bytes);

}  // namespace statera
