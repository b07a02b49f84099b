// The results of statera bench as tables in the terminal.
#pragma once
#include <nlohmann/json_fwd.hpp>

namespace statera::cli {

// `report` is made by bench.cpp. Parts that it lacks are left out.
void print_bench(const nlohmann::ordered_json& report);

}  // namespace statera::cli
