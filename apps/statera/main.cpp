// statera VERB ...: parses, runs the verb, turns what was thrown into one line and an exit status: 0 good, 1 failed, 2 wrong use.
#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>

#include "common.hpp"
#include "statera/error.hpp"
#include "verbs.hpp"

namespace {

// Left to itself, CLI11 reads 99999999999999999999 as the largest number, 010 as 8 and, where there is no sign, -1 as 2^64 - 1.
void read_whole_numbers_strictly(CLI::App& app) {
  for (CLI::App* verb : app.get_subcommands({}))
    for (CLI::Option* option : verb->get_options()) {
      const std::string type = option->get_type_name();
      if (type != "INT" && type != "UINT") continue;
      option->transform(CLI::Validator([least = type == "UINT" ? int64_t{0} : INT64_MIN](std::string& text) -> std::string {
        int64_t value = 0;
        const char* end = text.data() + text.size();
        const auto [read, error] = std::from_chars(text.data(), end, value);
        if (error != std::errc() || read != end || value < least) return "'" + text + "' is no whole number from " + std::to_string(least) + " to 2^63 - 1";
        text = std::to_string(value);
        return {};
      }, ""));
    }
}

int run(int argc, char** argv) {
  CLI::App app{"Statera trains, compares and runs sequence models on raw bytes: state-space models, Transformers and hybrids.", "statera"};
  app.set_version_flag("--version", STATERA_VERSION);
  app.require_subcommand(1);
  app.footer("`statera VERB --help` shows a verb's flags and examples.");
  namespace cli = statera::cli;
  for (auto add : {cli::add_compare, cli::add_report, cli::add_train, cli::add_generate, cli::add_score, cli::add_info, cli::add_convert, cli::add_bench}) add(app);
  read_whole_numbers_strictly(app);
  const auto verb = [&] {
    const auto chosen = app.get_subcommands();
    return chosen.empty() ? std::string("statera") : "statera " + chosen.front()->get_name();
  };
  const auto say = [&](const char* what) { std::fprintf(stderr, "%s: %s\n", verb().c_str(), what); };
  const auto finish = [&] {
    if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return 0;
    say("cannot write the output (is the disk full?)");
    return 1;
  };
  try {
    app.parse(argc, argv);
    return finish();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      app.exit(error);
      return finish();
    }
    say((std::string(error.what()) + " (see " + verb() + " --help)").c_str());
    return 2;
  } catch (const statera::cli::UsageError& error) {
    say(error.what());
    return 2;
  } catch (const statera::cli::Interrupted&) {
    return 130;
  } catch (const std::bad_alloc&) {
    say("out of memory; take a smaller model, batch or length");
    return 1;
  } catch (const std::exception& error) {
    say(error.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is an error of writing, as a full disk is
  statera::cli::remember_command(argc, argv);
  return run(argc, argv);
}
