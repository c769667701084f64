"""The words by which a lure shows what it is built of, in the region's languages.

Each trait has its words and phrases; they are matched anywhere in a text in small letters.
"""

from __future__ import annotations

WORDS = {
    "as:bank": (
        "bank|ธนาคาร|ngân hàng|ngan hang|bangko|banku|ធនាគារ|ທະນາຄານ|ဘဏ်|银行|銀行|வங்கி|"
        "paypal|rekening"
    ),
    "as:post": (
        "parcel|package|พัสดุ|bưu kiện|giao hàng|buu kien|paket|kiriman|bungkusan|កញ្ចប់|"
        "ដឹកជញ្ជូន|ພັດສະດຸ|ပါဆယ်|包裹|快递|பொதி|பொருள|enkomenda|sasán"
    ),
    "as:tax": (
        "tax|refund|สรรพากร|ภาษี|thuế|bir:|buwis|pajak|lhdn|cukai|ពន្ធ|ອາກອນ|အခွန်|退税|税务|"
        "税款|வரி|impostu|tributária"
    ),
    "as:state": (
        "government|president|รัฐบาล|กองทุน|chính phủ|quỹ cứu trợ|gobyerno|pangulo|"
        "pemerintah|presiden|kerajaan|istana|រដ្ឋាភិបាល|មូលនិធិ|ລັດຖະບານ|ກອງທຶນ|အစိုးရ|"
        "ရန်ပုံငွေ|政府|救助基金|அரசு|நிதியம்|governu|fundu"
    ),
    "as:boss": (
        "cfo|ผู้อำนวยการ|ทนาย|giám đốc|luật sư|abogado|direktur|pengacara|ketua pegawai|"
        "peguam|នាយក|មេធាវី|ຫົວໜ້າ|ທະນາຍ|မှူး|ရှေ့နေ|总监|律师|இயக்குநர்|வழக்கறிஞ|diretór|"
        "advogadu|our lawyer"
    ),
    "as:job": (
        "part-time|recruiter|พาร์ทไทม์|รายได้เสริม|việc làm|tuyển dụng|kiếm|trabaho|kumita|"
        "kerja paruh|perekrut|kerja sambilan|ការងារ|រកប្រាក់|ວຽກເສີມ|ຫາເງິນ|အလုပ်|兼职|赚|"
        "பகுதி நேர|சம்பாதி|servisu tempu|hetan"
    ),
    "threat:close": (
        "locked|suspend|closed|access ends|restricted|ระงับ|ปิด|ไม่ได้|bị khóa|bị đóng|"
        "bi khoa|na-lock|isasara|diblokir|ditutup|disekat|ផ្អាក|បិទ|ລະງັບ|ປິດ|ပိတ်|ဖျက်|冻结|"
        "关闭|முடக்க|மூடப்ப|blokeia|taka"
    ),
    "story:login": (
        "unusual login|sign-in|strange|เข้าใช้งานผิดปกติ|ล็อกอิน|đăng nhập bất thường|"
        "người lạ|pag-login|hindi kilala|login tidak|masuk ke akun|log masuk luar|"
        "memasuki akaun|ចូលប្រើ|អ្នកចម្លែក|ເຂົ້າໃຊ້ຜິດ|ຄົນແປກ|ဝင်ရောက်မှု|သူစိမ်း|登录异常|陌生人|"
        "உள்நுழைவ|நுழைந்த|login ne'ebé|ema seluk"
    ),
    "ask:verify": (
        "verify|confirm|fill in|ยืนยัน|กรอกข้อมูล|xác minh|xac minh|điền thông tin|"
        "i-verify|kumpirma|verifikasi|isi data|sahkan|isi maklumat|បញ្ជាក់|បំពេញ|ຢືນຢັນ|"
        "ຕື່ມ|အတည်ပြု|ဖြည့်|验证|填写|சரிபார்|நிரப்ப|verifikasaun|prienxe"
    ),
    "ask:login": (
        "log in|sign in|เข้าสู่ระบบ|ลงชื่อเข้าใช้|đăng nhập|dang nhap|mag-login|pumasok|"
        "masuk ke|login pada|log masuk|masuk di|ចូលទៅ|ចូល|ເຂົ້າລະບົບ|ဝင်|登录|进入|உள்நுழை|"
        "tama"
    ),
    "ask:pay": (
        "pay the|settle|ชำระ|ค่าธรรมเนียม|จ่าย|thanh toán|trả ngay|bayaran|magbayad|bayar|"
        "lunasi|បង់|ຊຳລະ|ຈ່າຍ|ပေး|支付|付款|செலுத்|selu"
    ),
    "ask:transfer": (
        "transfer|send the|โอน|chuyển|nộp|ipadala|kirim|pindahkan|hantar|ផ្ទេរ|ផ្ញើ|ໂອນ|"
        "လွှဲ|转账|汇出|மாற்ற|அனுப்ப|transfere|haruka"
    ),
    "promise:money": (
        "congratulations|refund|earn|ยินดีด้วย|เงินช่วยเหลือ|ได้รับ|คืน|chúc mừng|hoàn|"
        "hỗ trợ|binabati|ayuda|tulong|selamat!|bantuan|pengembalian|tahniah|sumbangan|"
        "bayaran balik|អបអរ|ជំនួយ|ຊົມເຊີຍ|ຊ່ວຍເຫຼືອ|ဂုဏ်ယူ|ထောက်ပံ့|恭喜|补助|退税|வாழ்த்து|"
        "உதவித்|parabéns|subsídiu|devolusaun"
    ),
    "hush": (
        "do not call|between us|confidential|ห้ามโทร|รู้กันแค่|ประชุมลับ|đừng gọi|chỉ hai|"
        "huwag tumawag|lihim|tayo lang|jangan telepon|rahasia|hanya kita|jangan telefon|"
        "sulit|antara kita|កុំទូរស័ព្ទ|ពីរនាក់|ຢ່າໂທ|ສອງຄົນ|ဖုန်းမဆက်|နှစ်ယောက်|不要打电话|两个人|"
        "அழைக்க வேண்டாம்|நமக்குள்|labele telefone|na'in rua"
    ),
}
