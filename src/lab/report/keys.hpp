// The keys of report.json: each written once, here. findings.cpp writes them, table.cpp reads them by these names, the
// page by the same list (page/candidates.js), and the tables in keys.cpp say which object has which. report.md explains
// them.
#pragma once
#include <span>
#include <string>

namespace statera {

namespace key {
#define STATERA_KEY(name) inline constexpr char name[] = #name
STATERA_KEY(baselines);
STATERA_KEY(batch);
STATERA_KEY(best);
STATERA_KEY(bits_per_byte);
STATERA_KEY(by_length);
STATERA_KEY(by_position);
STATERA_KEY(bytes);
STATERA_KEY(bytes_per_id);
STATERA_KEY(candidates);
STATERA_KEY(command);
STATERA_KEY(commit);
STATERA_KEY(complete);
STATERA_KEY(config);
STATERA_KEY(context);
STATERA_KEY(contexts);
STATERA_KEY(cores);
STATERA_KEY(cpu);
STATERA_KEY(curve);
STATERA_KEY(data);
STATERA_KEY(date);
STATERA_KEY(decided_by);
STATERA_KEY(difference);
STATERA_KEY(distance);
STATERA_KEY(documents);
STATERA_KEY(doubt);
STATERA_KEY(embedding_parameters);
STATERA_KEY(equal);
STATERA_KEY(error);
STATERA_KEY(flops);
STATERA_KEY(flops_per_byte);
STATERA_KEY(format_version);
STATERA_KEY(from);
STATERA_KEY(gain);
STATERA_KEY(growth);
STATERA_KEY(held_out_bytes);
STATERA_KEY(inner);
STATERA_KEY(instruction_set);
STATERA_KEY(judged_at);
STATERA_KEY(last_ratio);
STATERA_KEY(layers);
STATERA_KEY(learned);
STATERA_KEY(learning_bits_per_byte);
STATERA_KEY(learning_doubt);
STATERA_KEY(mixed_bits_per_byte);
STATERA_KEY(learning_rates);
STATERA_KEY(learns);
STATERA_KEY(length);
STATERA_KEY(load);
STATERA_KEY(loss_95_percent);
STATERA_KEY(lr);
STATERA_KEY(machine);
STATERA_KEY(memory);
STATERA_KEY(memory_bytes);
STATERA_KEY(name);
STATERA_KEY(noise);
STATERA_KEY(not_equal);
STATERA_KEY(notes);
STATERA_KEY(parameters);
STATERA_KEY(prepare_seconds);
STATERA_KEY(prefill_bytes);
STATERA_KEY(prefill_bytes_per_second);
STATERA_KEY(rate);
STATERA_KEY(ratio);
STATERA_KEY(recall);
STATERA_KEY(recommendation);
STATERA_KEY(seconds);
STATERA_KEY(seed);
STATERA_KEY(seed_error);
STATERA_KEY(seeds);
STATERA_KEY(sentences);
STATERA_KEY(settings);
STATERA_KEY(speed);
STATERA_KEY(standard_error);
STATERA_KEY(state_bytes);
STATERA_KEY(statera);
STATERA_KEY(status);
STATERA_KEY(step);
STATERA_KEY(step_bytes_per_second);
STATERA_KEY(step_seconds);
STATERA_KEY(step_seconds_per_byte);
STATERA_KEY(steps);
STATERA_KEY(terms);
STATERA_KEY(threads);
STATERA_KEY(to);
STATERA_KEY(told_apart);
STATERA_KEY(train_bytes);
STATERA_KEY(train_bytes_per_second);
STATERA_KEY(train_flops);
STATERA_KEY(train_seconds);
STATERA_KEY(training_flops_per_byte);
STATERA_KEY(unfinished);
STATERA_KEY(units);
STATERA_KEY(validation_bytes);
STATERA_KEY(vocabulary);
STATERA_KEY(weight_bytes);
STATERA_KEY(winner);
STATERA_KEY(within_doubt);
#undef STATERA_KEY
}  // namespace key

// amount: a number of 0 or more; settings: an object of plain values
enum class KeyKind { text, truth, number, amount, texts, settings, object, objects };

struct ReportKey {
  const char* name;
  KeyKind kind;
  bool needed;
  std::span<const ReportKey> keys = {};  // of the object or of each one in the list
};

std::span<const ReportKey> report_keys();  // but format_version, which is read before all others

// The same for the page, JSON: an object with a key for each, whose value is the object of its keys; null for an object
// that may have any.
std::string report_keys_json();

}  // namespace statera
