-- What the shop begins with; staff change it. Prices of Vietnam are in đồng, those of the international market in cents.

INSERT INTO shipping.market (code, currency) VALUES ('VN', 'VND'), ('INTL', 'USD');

INSERT INTO shipping.zone (code, market, name, priority, surcharge, active) VALUES
    ('hanoi', 'VN', 'Nội thành Hà Nội', 100, 0, true),
    ('hcm', 'VN', 'Nội thành TP. Hồ Chí Minh', 100, 0, true),
    ('remote', 'VN', 'Đặc khu (hải đảo)', 100, 20000, true),
    ('vietnam', 'VN', 'Các nơi khác', 100, 0, true),
    ('intl', 'INTL', 'Quốc tế', 100, 0, true);

INSERT INTO shipping.area (zone, code, province_code) VALUES ('vietnam', '', ''), ('intl', '', '');

-- The wards of today on the ground of the twelve urban districts that Hà Nội had before July 2025.
INSERT INTO shipping.area (zone, code, province_code) SELECT 'hanoi', code, '01' FROM unnest(ARRAY[
    '00004', '00008', '00025', '00070', '00082', '00091', '00097', '00103', '00118', '00127', '00136', '00145',
    '00160', '00166', '00175', '00190', '00199', '00226', '00229', '00235', '00256', '00283', '00292', '00301',
    '00316', '00322', '00328', '00331', '00337', '00340', '00352', '00364', '00367', '00592', '00598', '00602',
    '00611', '00613', '00619', '00622', '00634', '00637', '00643', '09552', '09556', '09562', '09568', '09886'
]) AS ward (code);

-- The wards of today on the ground of Hồ Chí Minh City's old districts 1, 3, 4, 5, 6, 7, 8, 10, 11, Bình Thạnh, Gò Vấp,
-- Phú Nhuận, Tân Bình and Tân Phú.
INSERT INTO shipping.area (zone, code, province_code) SELECT 'hcm', code, '79' FROM unnest(ARRAY[
    '26737', '26740', '26743', '26758', '26876', '26878', '26882', '26884', '26890', '26898', '26905', '26911',
    '26929', '26944', '26956', '26968', '26977', '26983', '26995', '27004', '27007', '27013', '27019', '27022',
    '27028', '27031', '27043', '27058', '27073', '27139', '27142', '27154', '27163', '27169', '27190', '27211',
    '27226', '27232', '27238', '27259', '27265', '27286', '27301', '27316', '27343', '27349', '27364', '27367',
    '27373', '27418', '27424', '27427', '27475', '27478', '27484', '27487'
]) AS ward (code);

-- The thirteen special zones (đặc khu), all of them islands.
INSERT INTO shipping.area (zone, code, province_code) VALUES
    ('remote', '06994', '22'), ('remote', '07192', '22'), ('remote', '11914', '31'), ('remote', '11948', '31'),
    ('remote', '19742', '44'), ('remote', '20333', '48'), ('remote', '21548', '51'), ('remote', '22736', '56'),
    ('remote', '23272', '68'), ('remote', '26732', '79'), ('remote', '31078', '91'), ('remote', '31105', '91'),
    ('remote', '31108', '91');

INSERT INTO shipping.service (code, carrier, name, weekdays, active) VALUES
    ('standard', 'own', '{"vi": "Giao tiêu chuẩn", "en": "Standard delivery"}', '{1,2,3,4,5,6}', true),
    ('express', 'own', '{"vi": "Giao nhanh", "en": "Express delivery"}', '{1,2,3,4,5,6}', true),
    ('sameday', 'own', '{"vi": "Giao trong ngày", "en": "Same-day delivery"}', '{1,2,3,4,5,6,7}', true),
    ('abroad', 'post', '{"vi": "Giao quốc tế", "en": "International delivery"}', '{1,2,3,4,5}', true);

INSERT INTO shipping.rate (zone, service, cod_fee, cod_limit, first_days, last_days, cutoff, active) VALUES
    ('hanoi', 'standard', 0, 20000000, 1, 2, '16:00', true),
    ('hanoi', 'express', 0, 20000000, 1, 1, '16:00', true),
    ('hanoi', 'sameday', 0, 20000000, 0, 0, '11:00', true),
    ('hcm', 'standard', 0, 20000000, 1, 2, '16:00', true),
    ('hcm', 'express', 0, 20000000, 1, 1, '16:00', true),
    ('hcm', 'sameday', 0, 20000000, 0, 0, '11:00', true),
    ('vietnam', 'standard', 0, 20000000, 2, 5, '15:00', true),
    ('vietnam', 'express', 0, 20000000, 2, 3, '15:00', true),
    ('remote', 'standard', 0, 20000000, 4, 10, '15:00', true),
    ('intl', 'abroad', 0, NULL, 7, 20, '15:00', true);

INSERT INTO shipping.band (zone, service, from_value, up_to_grams, price) VALUES
    ('hanoi', 'standard', 0, 15000, 20000),
    ('hanoi', 'standard', 0, 50000, 40000),
    ('hanoi', 'standard', 0, 200000, 80000),
    ('hanoi', 'standard', 499000, 15000, 0),
    ('hanoi', 'express', 0, 15000, 35000),
    ('hanoi', 'sameday', 0, 15000, 50000),
    ('hcm', 'standard', 0, 15000, 20000),
    ('hcm', 'standard', 0, 50000, 40000),
    ('hcm', 'standard', 0, 200000, 80000),
    ('hcm', 'standard', 499000, 15000, 0),
    ('hcm', 'express', 0, 15000, 35000),
    ('hcm', 'sameday', 0, 15000, 50000),
    ('vietnam', 'standard', 0, 15000, 35000),
    ('vietnam', 'standard', 0, 50000, 70000),
    ('vietnam', 'standard', 0, 200000, 140000),
    ('vietnam', 'express', 0, 15000, 60000),
    ('remote', 'standard', 0, 15000, 35000),
    ('remote', 'standard', 0, 50000, 70000),
    ('intl', 'abroad', 0, 30000, 1500);

-- Days off for carriers: the public holidays, their compensation where they fall on a weekend, and for Tết the five days
-- off. The government fixes swaps every year; staff correct what was decided later.
INSERT INTO shipping.holiday (day, name, source) VALUES
    ('2026-01-01', 'Tết Dương lịch', 'Labour Code 2019, art. 112'),
    ('2026-02-16', 'Tết Nguyên đán', 'Labour Code 2019, art. 112; five days around the first day of the year, 17/2'),
    ('2026-02-17', 'Tết Nguyên đán', 'Labour Code 2019, art. 112; five days around the first day of the year, 17/2'),
    ('2026-02-18', 'Tết Nguyên đán', 'Labour Code 2019, art. 112; five days around the first day of the year, 17/2'),
    ('2026-02-19', 'Tết Nguyên đán', 'Labour Code 2019, art. 112; five days around the first day of the year, 17/2'),
    ('2026-02-20', 'Tết Nguyên đán', 'Labour Code 2019, art. 112; five days around the first day of the year, 17/2'),
    ('2026-04-26', 'Giỗ Tổ Hùng Vương', 'Labour Code 2019, art. 112; the tenth of the third lunar month'),
    ('2026-04-27', 'Nghỉ bù Giỗ Tổ Hùng Vương', 'Labour Code 2019, art. 111: 26/4 is a Sunday'),
    ('2026-04-30', 'Ngày Chiến thắng', 'Labour Code 2019, art. 112'),
    ('2026-05-01', 'Quốc tế Lao động', 'Labour Code 2019, art. 112'),
    ('2026-09-01', 'Quốc khánh', 'Labour Code 2019, art. 112; the adjacent day'),
    ('2026-09-02', 'Quốc khánh', 'Labour Code 2019, art. 112'),
    ('2026-11-24', 'Ngày Văn hoá Việt Nam', 'a holiday from 2026 on, by secondary sources'),
    ('2027-01-01', 'Tết Dương lịch', 'Labour Code 2019, art. 112'),
    ('2027-02-04', 'Tết Nguyên đán', 'the first of two proposals, 4/2 to 10/2 (the other: 5/2 to 14/2); not decided'),
    ('2027-02-05', 'Tết Nguyên đán', 'the first of two proposals, 4/2 to 10/2 (the other: 5/2 to 14/2); not decided'),
    ('2027-02-06', 'Tết Nguyên đán', 'the first of two proposals, 4/2 to 10/2 (the other: 5/2 to 14/2); not decided'),
    ('2027-02-07', 'Tết Nguyên đán', 'the first of two proposals, 4/2 to 10/2 (the other: 5/2 to 14/2); not decided'),
    ('2027-02-08', 'Tết Nguyên đán', 'the first of two proposals, 4/2 to 10/2 (the other: 5/2 to 14/2); not decided'),
    ('2027-02-09', 'Tết Nguyên đán', 'the first of two proposals, 4/2 to 10/2 (the other: 5/2 to 14/2); not decided'),
    ('2027-02-10', 'Tết Nguyên đán', 'the first of two proposals, 4/2 to 10/2 (the other: 5/2 to 14/2); not decided'),
    ('2027-04-16', 'Giỗ Tổ Hùng Vương', 'Labour Code 2019, art. 112; the tenth of the third lunar month'),
    ('2027-04-30', 'Ngày Chiến thắng', 'Labour Code 2019, art. 112'),
    ('2027-05-01', 'Quốc tế Lao động', 'Labour Code 2019, art. 112'),
    ('2027-05-03', 'Nghỉ bù Quốc tế Lao động', 'Labour Code 2019, art. 111: 1/5 is a Saturday'),
    ('2027-09-02', 'Quốc khánh', 'Labour Code 2019, art. 112'),
    ('2027-09-03', 'Quốc khánh', 'Labour Code 2019, art. 112; the adjacent day, not fixed yet'),
    ('2027-11-24', 'Ngày Văn hoá Việt Nam', 'a holiday from 2026 on, by secondary sources');
