#include "state/forms.hpp"

namespace brume::state {

std::span<const FormStep> form_steps() { return {}; }

}  // namespace brume::state
