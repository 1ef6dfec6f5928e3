// Names for the newest starter images: public parameters of the Systems Manager, which a launch may give as its image
// ("resolve:ssm:/brume/images/tiny/latest").
//
// Every public machine image that the operator provides has /brume/images/NAME/latest, and the path of Amazon's that promises what the
// image is. Only the operator's images count: what another account makes public takes nobody's name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "service/action.hpp"
#include "state/world.hpp"

namespace brume::ec2 {

struct PublicParameter {
  std::string name;
  const state::Image* image = nullptr;
  std::int64_t version = 1;  // grows with every image of the name
};

// All of them, by name; of each its newest version.
std::vector<PublicParameter> public_parameters(const state::World& world);
// "/path", or "/path:2" for a version. nullopt: there is no such parameter or version.
std::optional<PublicParameter> find_public_parameter(const state::World& world, std::string_view name);

// The image's id for "resolve:ssm:…"; anything else as it is. Throws InvalidParameterValue when the parameter names no image.
std::string resolve_image_alias(const state::World& world, const service::Context& context, const std::string& image_id);

}  // namespace brume::ec2
