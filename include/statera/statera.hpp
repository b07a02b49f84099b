// All of Statera's public headers.
#pragma once
#include "statera/config.hpp"
#include "statera/device.hpp"
#include "statera/dtype.hpp"
#include "statera/error.hpp"
#include "statera/model.hpp"
#include "statera/parameter.hpp"
#include "statera/sampler.hpp"
#include "statera/session.hpp"
#include "statera/tape.hpp"
#include "statera/tensor.hpp"
#include "statera/tokens.hpp"
