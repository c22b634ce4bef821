package ucum

// baseOrder is the order of base units in canonical texts, behind those that are of arbitrary.
var baseOrder = []string{"g", "m", "s", "rad", "K", "C", "cd"}

var baseUnits = map[string]bool{"m": true, "s": true, "g": true, "rad": true, "K": true, "C": true, "cd": true}

// prefixes are UCUM's, longer codes before shorter ones that they begin with.
var prefixes = []struct{ code, factor string }{
	{"da", "1e1"}, {"Ki", "1024"}, {"Mi", "1048576"}, {"Gi", "1073741824"}, {"Ti", "1099511627776"},
	{"Y", "1e24"}, {"Z", "1e21"}, {"E", "1e18"}, {"P", "1e15"}, {"T", "1e12"}, {"G", "1e9"}, {"M", "1e6"}, {"k", "1e3"}, {"h", "1e2"},
	{"d", "1e-1"}, {"c", "1e-2"}, {"m", "1e-3"}, {"u", "1e-6"}, {"n", "1e-9"}, {"p", "1e-12"}, {"f", "1e-15"}, {"a", "1e-18"},
	{"z", "1e-21"}, {"y", "1e-24"},
}

// special is a unit whose zero is not that of its base unit: canonical = (value + offset) * num / den in K.
type special struct{ offset, num, den string }

// specials are the temperatures that are converted by function.
var specials = map[string]special{
	"Cel":     {"273.15", "1", "1"},
	"[degF]":  {"459.67", "5", "9"},
	"[degRe]": {"218.52", "5", "4"},
}

func (s special) unit() unit {
	return unit{num: decimal(s.num), den: decimal(s.den), powers: []power{{"K", 1}}, special: true, offset: decimal(s.offset), name: "K"}
}

// arbitrary are the units that measure nothing but themselves, with the base unit each stands for: arbitrary units, which are defined by a
// procedure, and logarithmic ones, which compare among themselves alone.
var arbitrary = map[string]string{
	"[iU]": "[iU]", "[IU]": "[iU]", "[arb'U]": "[arb'U]", "[USP'U]": "[USP'U]", "[GPL'U]": "[GPL'U]", "[MPL'U]": "[MPL'U]",
	"[APL'U]": "[APL'U]", "[beth'U]": "[beth'U]", "[anti'Xa'U]": "[anti'Xa'U]", "[todd'U]": "[todd'U]", "[dye'U]": "[dye'U]",
	"[smgy'U]": "[smgy'U]", "[bdsk'U]": "[bdsk'U]", "[ka'U]": "[ka'U]", "[knk'U]": "[knk'U]", "[mclg'U]": "[mclg'U]", "[tb'U]": "[tb'U]",
	"[CCID_50]": "[CCID_50]", "[TCID_50]": "[TCID_50]", "[EID_50]": "[EID_50]", "[PFU]": "[PFU]", "[FFU]": "[FFU]", "[CFU]": "[CFU]",
	"[IR]": "[IR]", "[BAU]": "[BAU]", "[AU]": "[AU]", "[Amb'a'1'U]": "[Amb'a'1'U]", "[PNU]": "[PNU]", "[Lf]": "[Lf]",
	"[D'ag'U]": "[D'ag'U]", "[FEU]": "[FEU]", "[ELU]": "[ELU]", "[EU]": "[EU]", "[hnsf'U]": "[hnsf'U]",
	"[pH]": "[pH]", "Np": "Np", "B": "B", "B[SPL]": "B[SPL]", "B[V]": "B[V]", "B[mV]": "B[mV]", "B[uV]": "B[uV]", "B[10.nV]": "B[10.nV]",
	"B[W]": "B[W]", "B[kW]": "B[kW]", "bit_s": "bit_s", "[p'diop]": "[p'diop]", "%[slope]": "%[slope]",
	"[hp'_X]": "[hp'_X]", "[hp'_C]": "[hp'_C]", "[hp'_M]": "[hp'_M]", "[hp'_Q]": "[hp'_Q]", "[kp_X]": "[kp_X]", "[kp_C]": "[kp_C]",
	"[kp_M]": "[kp_M]", "[kp_Q]": "[kp_Q]", "[m/s2/Hz^0.5]": "[m/s2/Hz^0.5]",
}

// metricArbitrary are those of them that take prefixes.
var metricArbitrary = map[string]bool{
	"[iU]": true, "[IU]": true, "Np": true, "B": true, "B[SPL]": true, "B[V]": true, "B[mV]": true, "B[uV]": true, "B[10.nV]": true,
	"B[W]": true, "B[kW]": true,
}

// definition is a unit as UCUM defines it: a number of another unit. metric units take prefixes.
type definition struct {
	value, unit string
	metric      bool
}

const pi = "3.1415926535897932384626433832795028841971693993751058209749445923"

// units are UCUM's derived units.
var units = merge(scientific, customary, clinical)

func merge(tables ...map[string]definition) map[string]definition {
	all := map[string]definition{}
	for _, t := range tables {
		for code, d := range t {
			all[code] = d
		}
	}
	return all
}

// scientific are dimensionless units, SI units and what ISO 1000 and CGS add.
var scientific = map[string]definition{
	"10*": {"10", "1", false}, "10^": {"10", "1", false}, "[pi]": {pi, "1", false}, "%": {"1e-2", "1", false}, "[ppth]": {"1e-3", "1", false},
	"[ppm]": {"1e-6", "1", false}, "[ppb]": {"1e-9", "1", false}, "[pptr]": {"1e-12", "1", false},
	"mol": {"6.0221367e23", "1", true}, "sr": {"1", "rad2", true}, "Hz": {"1", "s-1", true}, "N": {"1", "kg.m/s2", true},
	"Pa": {"1", "N/m2", true}, "J": {"1", "N.m", true}, "W": {"1", "J/s", true}, "A": {"1", "C/s", true}, "V": {"1", "J/C", true},
	"F": {"1", "C/V", true}, "Ohm": {"1", "V/A", true}, "S": {"1", "Ohm-1", true}, "Wb": {"1", "V.s", true}, "T": {"1", "Wb/m2", true},
	"H": {"1", "Wb/A", true}, "lm": {"1", "cd.sr", true}, "lx": {"1", "lm/m2", true}, "Bq": {"1", "s-1", true}, "Gy": {"1", "J/kg", true},
	"Sv": {"1", "J/kg", true}, "gon": {"0.9", "deg", false}, "deg": {"2", "[pi].rad/360", false}, "'": {"1", "deg/60", false},
	"''": {"1", "'/60", false}, "l": {"1", "dm3", true}, "L": {"1", "l", true}, "ar": {"100", "m2", true}, "min": {"60", "s", false},
	"h": {"60", "min", false}, "d": {"24", "h", false}, "a_t": {"365.24219", "d", false}, "a_j": {"365.25", "d", false},
	"a_g": {"365.2425", "d", false}, "a": {"1", "a_j", false}, "wk": {"7", "d", false}, "mo_s": {"29.53059", "d", false},
	"mo_j": {"1", "a_j/12", false}, "mo_g": {"1", "a_g/12", false}, "mo": {"1", "mo_j", false}, "t": {"1e3", "kg", true},
	"bar": {"1e5", "Pa", true}, "u": {"1.6605402e-24", "g", true}, "eV": {"1", "[e].V", true}, "AU": {"149597.870691", "Mm", false},
	"pc": {"3.085678e16", "m", true}, "[c]": {"299792458", "m/s", true}, "[h]": {"6.6260755e-34", "J.s", true},
	"[k]": {"1.380658e-23", "J/K", true}, "[eps_0]": {"8.854187817e-12", "F/m", true}, "[mu_0]": {"4e-7", "[pi].N/A2", true},
	"[e]": {"1.60217733e-19", "C", true}, "[m_e]": {"9.1093897e-28", "g", true}, "[m_p]": {"1.6726231e-24", "g", true},
	"[G]": {"6.67259e-11", "m3.kg-1.s-2", true}, "[g]": {"9.80665", "m/s2", true}, "atm": {"101325", "Pa", false},
	"[ly]": {"1", "[c].a_j", true}, "gf": {"1", "g.[g]", true}, "[lbf_av]": {"1", "[lb_av].[g]", false},
	"Ky": {"1", "cm-1", true}, "Gal": {"1", "cm/s2", true}, "dyn": {"1", "g.cm/s2", true}, "erg": {"1", "dyn.cm", true},
	"P": {"1", "dyn.s/cm2", true}, "Bi": {"10", "A", true}, "St": {"1", "cm2/s", true}, "Mx": {"1e-8", "Wb", true}, "G": {"1e-4", "T", true},
	"Oe": {"250", "A/m/[pi]", true}, "Gb": {"1", "Oe.cm", true}, "sb": {"1", "cd/cm2", true}, "Lmb": {"1", "cd/cm2/[pi]", true},
	"ph": {"1e4", "lx", true}, "Ci": {"3.7e10", "Bq", true}, "R": {"2.58e-4", "C/kg", true}, "RAD": {"100", "erg/g", true},
	"REM": {"1", "RAD", true}, "cal_[15]": {"4.1858", "J", true}, "cal_[20]": {"4.1819", "J", true}, "cal_m": {"4.19002", "J", true},
	"cal_IT": {"4.1868", "J", true}, "cal_th": {"4.184", "J", true}, "cal": {"1", "cal_th", true}, "[Cal]": {"1", "kcal_th", false},
	"tex": {"1", "g/km", true}, "st": {"1", "m3", true}, "Ao": {"0.1", "nm", false}, "b": {"100", "fm2", false}, "att": {"1", "kgf/cm2", false},
	"mho": {"1", "S", true}, "circ": {"2", "[pi].rad", false}, "sph": {"4", "[pi].sr", false}, "bit": {"1", "1", true}, "By": {"8", "bit", true},
	"Bd": {"1", "s-1", true},
}

// customary are the units of trade: international, US and British lengths, areas, volumes, masses and heats.
var customary = map[string]definition{
	"[in_i]": {"2.54", "cm", false}, "[ft_i]": {"12", "[in_i]", false}, "[yd_i]": {"3", "[ft_i]", false}, "[mi_i]": {"5280", "[ft_i]", false},
	"[fth_i]": {"6", "[ft_i]", false}, "[nmi_i]": {"1852", "m", false}, "[kn_i]": {"1", "[nmi_i]/h", false}, "[sin_i]": {"1", "[in_i]2", false},
	"[sft_i]": {"1", "[ft_i]2", false}, "[syd_i]": {"1", "[yd_i]2", false}, "[cin_i]": {"1", "[in_i]3", false}, "[cft_i]": {"1", "[ft_i]3", false},
	"[cyd_i]": {"1", "[yd_i]3", false}, "[bf_i]": {"144", "[in_i]3", false}, "[cr_i]": {"128", "[ft_i]3", false}, "[mil_i]": {"1e-3", "[in_i]", false},
	"[cml_i]": {"0.25", "[pi].[mil_i]2", false}, "[hd_i]": {"4", "[in_i]", false},
	"[ft_us]": {"1200", "m/3937", false}, "[yd_us]": {"3", "[ft_us]", false}, "[in_us]": {"1", "[ft_us]/12", false}, "[rd_us]": {"16.5", "[ft_us]", false},
	"[ch_us]": {"4", "[rd_us]", false}, "[lk_us]": {"1", "[ch_us]/100", false}, "[rch_us]": {"100", "[ft_us]", false}, "[rlk_us]": {"1", "[rch_us]/100", false},
	"[fth_us]": {"6", "[ft_us]", false}, "[fur_us]": {"40", "[rd_us]", false}, "[mi_us]": {"8", "[fur_us]", false}, "[acr_us]": {"160", "[rd_us]2", false},
	"[srd_us]": {"1", "[rd_us]2", false}, "[smi_us]": {"1", "[mi_us]2", false}, "[sct]": {"1", "[mi_us]2", false}, "[twp]": {"36", "[sct]", false},
	"[mil_us]": {"1e-3", "[in_us]", false}, "[in_br]": {"2.539998", "cm", false}, "[ft_br]": {"12", "[in_br]", false}, "[rd_br]": {"16.5", "[ft_br]", false},
	"[ch_br]": {"4", "[rd_br]", false}, "[lk_br]": {"1", "[ch_br]/100", false}, "[fth_br]": {"6", "[ft_br]", false}, "[pc_br]": {"2.5", "[ft_br]", false},
	"[yd_br]": {"3", "[ft_br]", false}, "[mi_br]": {"5280", "[ft_br]", false}, "[nmi_br]": {"6080", "[ft_br]", false}, "[kn_br]": {"1", "[nmi_br]/h", false},
	"[acr_br]": {"4840", "[yd_br]2", false},
	"[gal_us]": {"231", "[in_i]3", false}, "[bbl_us]": {"42", "[gal_us]", false}, "[qt_us]": {"1", "[gal_us]/4", false}, "[pt_us]": {"1", "[qt_us]/2", false},
	"[gil_us]": {"1", "[pt_us]/4", false}, "[foz_us]": {"1", "[gil_us]/4", false}, "[fdr_us]": {"1", "[foz_us]/8", false}, "[min_us]": {"1", "[fdr_us]/60", false},
	"[crd_us]": {"128", "[ft_i]3", false}, "[bu_us]": {"2150.42", "[in_i]3", false}, "[gal_wi]": {"1", "[bu_us]/8", false}, "[pk_us]": {"1", "[bu_us]/4", false},
	"[dqt_us]": {"1", "[pk_us]/8", false}, "[dpt_us]": {"1", "[dqt_us]/2", false}, "[tbs_us]": {"1", "[foz_us]/2", false}, "[tsp_us]": {"1", "[tbs_us]/3", false},
	"[cup_us]": {"16", "[tbs_us]", false}, "[foz_m]": {"30", "mL", false}, "[cup_m]": {"240", "mL", false}, "[tsp_m]": {"5", "mL", false}, "[tbs_m]": {"15", "mL", false},
	"[gal_br]": {"4.54609", "l", false}, "[pk_br]": {"2", "[gal_br]", false}, "[bu_br]": {"4", "[pk_br]", false}, "[qt_br]": {"1", "[gal_br]/4", false},
	"[pt_br]": {"1", "[qt_br]/2", false}, "[gil_br]": {"1", "[pt_br]/4", false}, "[foz_br]": {"1", "[gil_br]/5", false}, "[fdr_br]": {"1", "[foz_br]/8", false},
	"[min_br]": {"1", "[fdr_br]/60", false},
	"[gr]":     {"64.79891", "mg", false}, "[lb_av]": {"7000", "[gr]", false}, "[oz_av]": {"1", "[lb_av]/16", false}, "[dr_av]": {"1", "[oz_av]/16", false},
	"[scwt_av]": {"100", "[lb_av]", false}, "[lcwt_av]": {"112", "[lb_av]", false}, "[ston_av]": {"20", "[scwt_av]", false}, "[lton_av]": {"20", "[lcwt_av]", false},
	"[stone_av]": {"14", "[lb_av]", false}, "[pwt_tr]": {"24", "[gr]", false}, "[oz_tr]": {"20", "[pwt_tr]", false}, "[lb_tr]": {"12", "[oz_tr]", false},
	"[sc_ap]": {"20", "[gr]", false}, "[dr_ap]": {"3", "[sc_ap]", false}, "[oz_ap]": {"8", "[dr_ap]", false}, "[lb_ap]": {"12", "[oz_ap]", false},
	"[oz_m]": {"28", "g", false}, "[lne]": {"1", "[in_i]/12", false}, "[pnt]": {"1", "[lne]/6", false}, "[pca]": {"12", "[pnt]", false},
	"[pnt_pr]": {"0.013837", "[in_i]", false}, "[pca_pr]": {"12", "[pnt_pr]", false}, "[degR]": {"5", "K/9", false}, "[Btu_39]": {"1.05967", "kJ", false},
	"[Btu_59]": {"1.05480", "kJ", false}, "[Btu_60]": {"1.05468", "kJ", false}, "[Btu_m]": {"1.05587", "kJ", false}, "[Btu_IT]": {"1.05505585262", "kJ", false},
	"[Btu_th]": {"1.054350", "kJ", false}, "[Btu]": {"1", "[Btu_th]", false}, "[HP]": {"550", "[ft_i].[lbf_av]/s", false}, "[den]": {"1", "g/9/km", false},
	"[psi]": {"1", "[lbf_av]/[in_i]2", false}, "[car_m]": {"0.2", "g", false}, "[car_Au]": {"1", "1/24", false}, "[smoot]": {"67", "[in_i]", false},
}

// clinical are the units of medicine and chemistry.
var clinical = map[string]definition{
	"m[H2O]": {"9.80665", "kPa", true}, "m[Hg]": {"133.322", "kPa", true}, "[in_i'H2O]": {"1", "m[H2O].[in_i]/m", false},
	"[in_i'Hg]": {"1", "m[Hg].[in_i]/m", false}, "[PRU]": {"1", "mm[Hg].s/ml", false}, "[wood'U]": {"1", "mm[Hg].min/L", false},
	"[diop]": {"1", "m-1", false}, "[mesh_i]": {"1", "[in_i]-1", false}, "[Ch]": {"1", "mm/3", false}, "[drp]": {"1", "ml/20", false},
	"[MET]": {"3.5", "mL/min/kg", false}, "U": {"1", "umol/min", true}, "kat": {"1", "mol/s", true}, "eq": {"1", "mol", true},
	"osm": {"1", "mol", true}, "g%": {"1", "g/dl", true}, "[S]": {"1e-13", "s", false}, "[HPF]": {"1", "1", false}, "[LPF]": {"100", "1", false},
}
