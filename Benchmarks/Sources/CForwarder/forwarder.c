#include "cforwarder.h"
