// Quantities as people read them.
#pragma once
#include <string>

namespace statera {

std::string bytes_text(double bytes);       // "1.50 MB"
std::string count_text(double count);       // "1.97 M"
std::string seconds_text(double seconds);   // "2 m 05 s"
std::string plain_seconds(double seconds);  // "125 s", "12.5 s": never in minutes
std::string number_text(double number);     // "0.002", six digits

}  // namespace statera
