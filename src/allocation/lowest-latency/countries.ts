/**
 * The middle of each country, in whole degrees, by ISO 3166 code: `AD 43 2` and so on. Coarse for the largest ones: whoever
 * has devices on both coasts of a country uses a city database, or rules of his own.
 */
const table = `
AD 43 2,AE 24 54,AF 33 66,AG 17 -62,AI 18 -63,AL 41 20,AM 40 45,AO -12 18,AQ -80 0,AR -34 -64,AS -14 -171,AT 47 14,AU -30 145,AW 13 -70,
AX 60 20,AZ 40 48,BA 44 18,BB 13 -60,BD 24 90,BE 51 5,BF 12 -2,BG 43 25,BH 26 51,BI -3 30,BJ 9 2,BL 18 -63,BM 32 -65,BN 5 115,BO -17 -65,
BQ 12 -68,BR -15 -49,BS 24 -76,BT 27 90,BV -54 3,BW -22 24,BY 53 28,BZ 17 -89,CA 47 -84,CC -12 97,CD -3 23,CF 7 21,CG -1 15,CH 47 8,
CI 7 -6,CK -21 -160,CL -34 -71,CM 6 12,CN 33 113,CO 4 -73,CR 10 -84,CU 22 -79,CV 16 -24,CW 12 -69,CX -10 106,CY 35 33,CZ 50 15,DE 51 10,
DJ 12 43,DK 56 10,DM 15 -61,DO 19 -71,DZ 35 3,EC -1 -78,EE 59 26,EG 29 31,EH 25 -13,ER 15 39,ES 40 -4,ET 9 40,FI 62 26,FJ -18 178,FK -52 -59,
FM 7 158,FO 62 -7,FR 47 2,GA -1 12,GB 53 -2,GD 12 -62,GE 42 44,GF 4 -53,GG 49 -3,GH 8 -1,GI 36 -5,GL 64 -51,GM 13 -16,GN 11 -10,GP 16 -62,
GQ 2 10,GR 39 22,GS -54 -37,GT 15 -90,GU 13 145,GW 12 -15,GY 5 -59,HK 22 114,HM -53 73,HN 15 -87,HR 45 16,HT 19 -72,HU 47 20,ID -5 110,
IE 53 -8,IL 32 35,IM 54 -5,IN 21 78,IO -6 72,IQ 33 44,IR 33 53,IS 65 -18,IT 43 12,JE 49 -2,JM 18 -77,JO 31 36,JP 36 138,KE 0 38,KG 41 75,
KH 13 105,KI 1 173,KM -12 44,KN 17 -63,KP 40 127,KR 36 128,KW 29 48,KY 19 -81,KZ 48 68,LA 18 105,LB 34 36,LC 14 -61,LI 47 10,LK 7 81,
LR 6 -9,LS -29 28,LT 55 24,LU 50 6,LV 57 25,LY 31 16,MA 33 -6,MC 44 7,MD 47 29,ME 42 19,MF 18 -63,MG -20 47,MH 9 168,MK 42 22,ML 14 -5,
MM 20 96,MN 47 105,MO 22 114,MP 15 146,MQ 15 -61,MR 19 -13,MS 17 -62,MT 36 14,MU -20 58,MV 3 73,MW -13 34,MX 21 -101,MY 4 105,MZ -18 35,
NA -22 17,NC -21 165,NE 15 7,NF -29 168,NG 9 8,NI 13 -85,NL 52 5,NO 61 10,NP 28 84,NR -1 167,NU -19 -170,NZ -40 175,OM 22 57,PA 9 -80,
PE -11 -76,PF -17 -150,PG -6 146,PH 13 122,PK 31 71,PL 52 20,PM 47 -56,PN -25 -130,PR 18 -66,PS 32 35,PT 39 -8,PW 7 134,PY -24 -57,
QA 25 51,RE -21 56,RO 46 25,RS 44 21,RU 56 44,RW -2 30,SA 24 45,SB -9 160,SC -5 55,SD 15 31,SE 60 16,SG 1 104,SH -16 -6,SI 46 15,
SJ 78 20,SK 49 20,SL 8 -12,SM 44 12,SN 14 -15,SO 5 46,SR 4 -56,SS 7 30,ST 0 7,SV 14 -89,SX 18 -63,SY 35 38,SZ -26 31,TC 22 -72,TD 13 17,
TF -49 69,TG 8 1,TH 15 101,TJ 39 70,TK -9 -172,TL -9 126,TM 39 59,TN 35 10,TO -20 -175,TR 39 33,TT 11 -61,TV -8 179,TW 24 121,TZ -6 35,
UA 49 31,UG 1 32,US 39 -95,UY -34 -56,UZ 41 66,VA 42 12,VC 13 -61,VE 9 -67,VG 18 -65,VI 18 -65,VN 16 107,VU -16 167,WF -13 -176,
WS -14 -172,XK 43 21,YE 14 46,YT -13 45,ZA -28 26,ZM -14 28,ZW -18 30`

/** Latitude and longitude of a country by its upper-case ISO 3166 code. */
export const countries: ReadonlyMap<string, { readonly latitude: number; readonly longitude: number }> = new Map(
  table.split(',').map((entry) => {
    const [code = '', latitude, longitude] = entry.trim().split(' ')
    return [code, { latitude: Number(latitude), longitude: Number(longitude) }]
  }),
)
