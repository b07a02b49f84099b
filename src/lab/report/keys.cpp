#include "lab/report/keys.hpp"

namespace statera {

namespace {
constexpr bool needed = true, optional = false;

constexpr ReportKey machine_keys[] = {{key::cpu, KeyKind::text, needed},
                                      {key::cores, KeyKind::amount, needed},
                                      {key::threads, KeyKind::amount, needed},
                                      {key::instruction_set, KeyKind::text, needed},
                                      {key::memory_bytes, KeyKind::amount, needed},
                                      {key::load, KeyKind::amount, optional}};
constexpr ReportKey data_keys[] = {{key::name, KeyKind::text, needed},
                                   {key::bytes, KeyKind::amount, needed},
                                   {key::documents, KeyKind::amount, optional},
                                   {key::train_bytes, KeyKind::amount, needed},
                                   {key::validation_bytes, KeyKind::amount, needed},
                                   {key::held_out_bytes, KeyKind::amount, needed}};
constexpr ReportKey terms_keys[] = {{key::equal, KeyKind::text, needed}, {key::not_equal, KeyKind::text, needed}};
constexpr ReportKey recommendation_keys[] = {{key::winner, KeyKind::text, optional},
                                             {key::decided_by, KeyKind::text, needed},
                                             {key::sentences, KeyKind::texts, needed}};
constexpr ReportKey baseline_keys[] = {{key::name, KeyKind::text, needed},
                                       {key::bits_per_byte, KeyKind::amount, needed},
                                       {key::learns, KeyKind::truth, optional},
                                       {key::learned, KeyKind::text, optional}};
constexpr ReportKey choice_keys[] = {{key::doubt, KeyKind::amount, needed},
                                     {key::loss_95_percent, KeyKind::amount, optional},
                                     {key::told_apart, KeyKind::truth, needed}};
constexpr ReportKey rate_keys[] = {{key::lr, KeyKind::amount, needed},
                                   {key::bits_per_byte, KeyKind::amount, optional},
                                   {key::error, KeyKind::text, optional}};
constexpr ReportKey seed_keys[] = {{key::seed, KeyKind::amount, needed}, {key::bits_per_byte, KeyKind::amount, needed}};
constexpr ReportKey difference_keys[] = {{key::from, KeyKind::text, needed},
                                         {key::bits_per_byte, KeyKind::number, needed},
                                         {key::standard_error, KeyKind::amount, needed},
                                         {key::seed_error, KeyKind::amount, optional},
                                         {key::doubt, KeyKind::amount, optional}};
constexpr ReportKey curve_keys[] = {{key::step, KeyKind::amount, needed},
                                    {key::train_bytes, KeyKind::amount, needed},
                                    {key::seconds, KeyKind::amount, needed},
                                    {key::flops, KeyKind::amount, needed},
                                    {key::bits_per_byte, KeyKind::amount, needed}};
constexpr ReportKey position_keys[] = {{key::from, KeyKind::amount, needed},
                                       {key::to, KeyKind::amount, needed},
                                       {key::bits_per_byte, KeyKind::amount, needed},
                                       {key::bytes, KeyKind::amount, optional}};
constexpr ReportKey recall_keys[] = {{key::distance, KeyKind::amount, needed},
                                     {key::gain, KeyKind::number, needed},
                                     {key::standard_error, KeyKind::amount, optional}};
constexpr ReportKey noise_keys[] = {{key::growth, KeyKind::amount, needed},
                                    {key::bits_per_byte, KeyKind::amount, needed},
                                    {key::flops_per_byte, KeyKind::amount, optional},
                                    {key::step_seconds_per_byte, KeyKind::amount, optional}};
constexpr ReportKey speed_keys[] = {{key::train_bytes_per_second, KeyKind::amount, optional},
                                    {key::prefill_bytes, KeyKind::amount, optional},
                                    {key::prefill_bytes_per_second, KeyKind::amount, optional},
                                    {key::step_bytes_per_second, KeyKind::amount, optional}};
constexpr ReportKey context_keys[] = {{key::context, KeyKind::amount, needed},
                                      {key::step_seconds, KeyKind::amount, needed},
                                      {key::state_bytes, KeyKind::amount, needed}};
constexpr ReportKey memory_keys[] = {{key::train_bytes, KeyKind::amount, optional},
                                     {key::weight_bytes, KeyKind::amount, optional}};
constexpr ReportKey inner_keys[] = {{key::ratio, KeyKind::amount, needed}, {key::last_ratio, KeyKind::amount, needed}};
constexpr ReportKey candidate_keys[] = {{key::name, KeyKind::text, needed},
                                        {key::config, KeyKind::text, optional},
                                        {key::layers, KeyKind::text, optional},
                                        {key::length, KeyKind::amount, optional},
                                        {key::batch, KeyKind::amount, optional},
                                        {key::status, KeyKind::text, needed},
                                        {key::error, KeyKind::text, optional},
                                        {key::parameters, KeyKind::amount, needed},
                                        {key::embedding_parameters, KeyKind::amount, optional},
                                        {key::units, KeyKind::text, optional},
                                        {key::vocabulary, KeyKind::amount, optional},
                                        {key::bytes_per_id, KeyKind::amount, optional},
                                        {key::prepare_seconds, KeyKind::amount, optional},
                                        {key::training_flops_per_byte, KeyKind::amount, optional},
                                        {key::inner, KeyKind::objects, optional, inner_keys},
                                        {key::learning_rates, KeyKind::objects, optional, rate_keys},
                                        {key::rate, KeyKind::object, optional, choice_keys},
                                        {key::lr, KeyKind::amount, optional},
                                        {key::steps, KeyKind::amount, optional},
                                        {key::train_bytes, KeyKind::amount, optional},
                                        {key::train_seconds, KeyKind::amount, optional},
                                        {key::train_flops, KeyKind::amount, optional},
                                        {key::seeds, KeyKind::objects, optional, seed_keys},
                                        {key::bits_per_byte, KeyKind::amount, optional},
                                        {key::doubt, KeyKind::amount, optional},
                                        {key::learning_bits_per_byte, KeyKind::amount, optional},
                                        {key::learning_doubt, KeyKind::amount, optional},
                                        {key::mixed_bits_per_byte, KeyKind::amount, optional},
                                        {key::unfinished, KeyKind::truth, optional},
                                        {key::difference, KeyKind::object, optional, difference_keys},
                                        {key::curve, KeyKind::objects, optional, curve_keys},
                                        {key::by_position, KeyKind::objects, optional, position_keys},
                                        {key::recall, KeyKind::objects, optional, recall_keys},
                                        {key::noise, KeyKind::objects, optional, noise_keys},
                                        {key::speed, KeyKind::object, optional, speed_keys},
                                        {key::judged_at, KeyKind::object, optional, context_keys},
                                        {key::contexts, KeyKind::objects, optional, context_keys},
                                        {key::memory, KeyKind::object, optional, memory_keys}};
constexpr ReportKey length_keys[] = {{key::length, KeyKind::amount, needed},
                                     {key::best, KeyKind::text, needed},
                                     {key::bits_per_byte, KeyKind::amount, needed},
                                     {key::within_doubt, KeyKind::texts, needed}};
constexpr ReportKey all_keys[] = {{key::statera, KeyKind::text, needed},
                                  {key::commit, KeyKind::text, needed},
                                  {key::command, KeyKind::text, needed},
                                  {key::date, KeyKind::text, needed},
                                  {key::machine, KeyKind::object, needed, machine_keys},
                                  {key::data, KeyKind::object, needed, data_keys},
                                  {key::settings, KeyKind::settings, needed},
                                  {key::terms, KeyKind::object, needed, terms_keys},
                                  {key::complete, KeyKind::truth, needed},
                                  {key::recommendation, KeyKind::object, needed, recommendation_keys},
                                  {key::baselines, KeyKind::objects, needed, baseline_keys},
                                  {key::candidates, KeyKind::objects, needed, candidate_keys},
                                  {key::by_length, KeyKind::objects, optional, length_keys},
                                  {key::notes, KeyKind::texts, optional}};

std::string json_of(std::span<const ReportKey> keys) {
  std::string json;
  for (const ReportKey& one : keys)
    json += (json.empty() ? "\"" : ", \"") + std::string(one.name) +
            "\": " + (one.kind == KeyKind::settings ? "null" : json_of(one.keys));
  return "{" + json + "}";
}
}  // namespace

std::span<const ReportKey> report_keys() { return all_keys; }

std::string report_keys_json() { return json_of(all_keys); }

}  // namespace statera
