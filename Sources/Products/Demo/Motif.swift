/// A drawn picture of a kind of thing: flat shapes on a soft ground, 800 by 1000.
enum Motif: String, Sendable, CaseIterable {
    case shirt, scarf, hat, tote, backpack, rug, lamp, cushion, vase, candle, mug, teapot, bowl, jar, notebook
    case earrings, chair, pot

    /// - Parameters:
    ///   - colour: an index into the demo's colours.
    ///   - style: 0 to 3: plain, striped, dotted, banded.
    func svg(colour index: Int, style: Int) -> String {
        let colour = DemoWords.colours[index]
        let ground = ["#f4efe6", "#eef1ee", "#f3ecea", "#eceff4"][(index + style) % 4]
        let light = colour.light
        let dark = colour.dark
        let pattern =
            switch style {
            case 1: "<path d='M0 0h12v40H0z' fill='\(dark)' fill-opacity='.45'/>"
            case 2: "<circle cx='20' cy='20' r='6' fill='\(light)'/>"
            case 3: "<path d='M0 26h40v6H0zM0 36h40v2H0z' fill='\(light)' fill-opacity='.8'/>"
            default: ""
            }
        return """
            <svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 800 1000' role='img'>
            <defs><pattern id='p' width='40' height='40' patternUnits='userSpaceOnUse'>
            <rect width='40' height='40' fill='\(colour.main)'/>\(pattern)</pattern>
            <linearGradient id='g' x2='1' y2='1'><stop stop-color='#fff' stop-opacity='.28'/>
            <stop offset='1' stop-color='#000' stop-opacity='.14'/></linearGradient>
            <radialGradient id='s'><stop stop-color='#000' stop-opacity='.2'/><stop offset='1' stop-opacity='0'/>
            </radialGradient></defs>
            <rect width='800' height='1000' fill='\(ground)'/>
            <ellipse cx='400' cy='\(floor)' rx='270' ry='38' fill='url(#s)'/>
            \(shapes(dark: dark, light: light))
            </svg>
            """
    }

    /// Where the shadow lies.
    private var floor: Int {
        switch self {
        case .shirt, .scarf, .hat, .rug, .cushion, .notebook, .earrings: 845
        default: 810
        }
    }

    private func body(_ path: String) -> String {
        "<path d='\(path)' fill='url(#p)'/><path d='\(path)' fill='url(#g)'/>"
    }

    private func shapes(dark: String, light: String) -> String {
        func line(_ path: String, _ width: Int = 8, _ colour: String? = nil) -> String {
            "<path d='\(path)' fill='none' stroke='\(colour ?? dark)' stroke-width='\(width)' "
                + "stroke-linecap='round' stroke-linejoin='round'/>"
        }
        func fill(_ path: String, _ colour: String) -> String { "<path d='\(path)' fill='\(colour)'/>" }
        switch self {
        case .shirt:
            return body(
                "M300 240l-150 80-60 190 100 40 40-90v370q170 30 340 0V460l40 90 100-40-60-190-150-80q-100 70-200 0z")
                + line("M300 240q100 130 200 0M400 320v515")
                + [400, 500, 600, 700].map { "<circle cx='400' cy='\($0)' r='9' fill='\(light)'/>" }.joined()
        case .scarf:
            return body("M250 190q150-50 300 0l30 90q-160 60-330 10z") + body("M290 280l120 20-40 520H210z")
                + body("M420 300l110-20 50 470H440z") + line("M215 820l-5 50m40-50v50m40-50v50m40-50v50m35-50l5 50")
                + line("M445 750v50m40-50v50m40-50v50m50-50v50")
        case .hat:
            return body("M170 640q0-330 230-330t230 330z")
                + fill("M145 620q255-50 510 0v110q-255 50-510 0z", dark)
                + line("M220 640v80m60-90v90m60-95v95m60-95v95m60-95v95m60-90v90m60-85v80", 6, light)
                + "<circle cx='400' cy='290' r='58' fill='\(light)'/>"
        case .tote:
            return line("M290 450q-10-230 110-230t110 230", 26) + body("M180 420h440l40 390H140z")
                + line("M200 470h400", 5, light)
        case .backpack:
            return line("M340 260q0-80 60-80t60 80", 22)
                + body("M210 400q0-160 190-160t190 160v380q0 30-30 30H240q-30 0-30-30z")
                + fill("M260 560q140-30 280 0v180q0 20-20 20H280q-20 0-20-20z", dark) + line("M280 610h240", 6, light)
                + line("M240 430q160-40 320 0", 8)
        case .rug:
            return body("M190 180h420v640H190z") + line("M230 220h340v560H230z", 10, light)
                + fill("M400 330l110 170-110 170-110-170z", dark) + fill("M400 410l58 90-58 90-58-90z", light)
                + line("M200 180v-34" + String(repeating: "m40 34v-34", count: 10), 5)
                + line("M200 820v34" + String(repeating: "m40-34v34", count: 10), 5)
        case .lamp:
            return fill("M385 480h30v300h-30z", dark) + body("M290 200h220l90 290H200z")
                + fill("M280 780q120-50 240 0v30H280z", dark) + fill("M210 490h380l-4 10H214z", light)
        case .cushion:
            return body("M190 300q210-50 420 0 50 210 0 420-210 50-420 0-50-210 0-420z")
                + line("M400 500l-40-40m40 40l40-40m-40 40l-40 40m40-40l40 40", 6)
                + "<circle cx='400' cy='500' r='20' fill='\(light)'/>"
        case .vase:
            return line("M400 330q-30-150-130-190M400 330q10-170 90-230M405 330q60-110 160-130", 7, "#6f7a4f")
                + "<circle cx='265' cy='138' r='24' fill='\(light)'/><circle cx='494' cy='96' r='28' fill='\(light)'/>"
                + "<circle cx='570' cy='198' r='22' fill='\(light)'/>"
                + body("M340 320h120q-10 90 70 180 80 120 0 250-30 60-70 60H340q-40 0-70-60-80-130 0-250 80-90 70-180z")
        case .candle:
            return line("M400 420v-46", 7) + fill("M400 270q48 62 0 110-48-48 0-110z", "#f2b13c")
                + fill("M400 315q22 34 0 62-22-28 0-62z", "#fff3cf") + body("M280 420h240v390H280z")
                + fill("M330 540h140v150H330z", "#fbf8f1") + line("M355 590h90m-90 40h60", 5)
        case .mug:
            return line("M560 480q120-10 120 100t-140 110", 34) + body("M220 400h350v320q0 90-90 90H310q-90 0-90-90z")
                + fill("M220 400q175-34 350 0-175 40-350 0z", dark)
                + line("M340 330q-30-40 0-80m60 80q-30-40 0-80m60 80q-30-40 0-80", 7, light)
        case .teapot:
            return line("M580 480q130-10 110 130-10 90-120 90", 28) + body("M250 560l-120-110q-20-30 20-40l150 100z")
                + body("M240 560q0-170 170-170t180 170q20 250-180 250T240 560z") + fill("M300 400q110-70 220 0z", dark)
                + "<circle cx='410' cy='345' r='24' fill='\(dark)'/>"
        case .bowl:
            return "<circle cx='330' cy='440' r='70' fill='#e2b23c'/><circle cx='450' cy='425' r='80' fill='#d9993a'/>"
                + "<circle cx='540' cy='460' r='56' fill='#e6c25c'/>"
                + body("M150 480h500q-10 250-170 320H320q-160-70-170-320z") + fill("M150 472h500v24H150z", dark)
        case .jar:
            return fill("M290 250h220v80H290z", dark)
                + fill("M260 330h280q40 30 40 80v360q0 40-40 40H260q-40 0-40-40V410q0-50 40-80z", "#ffffffcc")
                + body("M240 480q160-40 320 0v290q0 20-24 20H264q-24 0-24-20z")
                + fill("M290 560h220v140H290z", "#fbf8f1")
                + line("M320 605h160m-160 45h110", 6)
        case .notebook:
            return fill("M222 208h380v640H222z", "#fff") + body("M200 190h380v640H200z")
                + fill("M200 190h56v640h-56z", dark)
                + fill("M320 330h180v90H320z", "#fbf8f1") + line("M345 362h130m-130 28h80", 5)
                + fill("M520 830v60l-18-16-18 16v-60z", light)
        case .earrings:
            let one =
                "<circle cx='0' cy='0' r='13' fill='\(dark)'/><path d='M0 12v60' stroke='\(dark)' stroke-width='6'/>"
                + body("M0 70q110 130 0 240-110-110 0-240z")
                + "<circle cx='0' cy='200' r='24' fill='\(light)'/>"
            return "<g transform='translate(270 330)'>\(one)</g><g transform='translate(530 330)'>\(one)</g>"
        case .chair:
            return line("M250 180v630M550 180v630M300 620l-20 190m220-190l20 190", 26)
                + body("M236 200h328v190H236z") + body("M220 560h360v70H220z") + line("M250 460h300", 16)
        case .pot:
            return line("M400 430q-10-170-10-230M396 380q-120-20-160-130M398 360q110-30 150-140", 9, "#5f7350")
                + fill(
                    "M390 210q-60-70 0-130 60 60 0 130zM240 256q-92-8-110-90 90 0 110 90z"
                        + "M546 224q10-90 100-104 2 92-100 104z",
                    "#7d9468")
                + body("M230 500h340l-50 310H280z") + fill("M210 440h380v76H210z", dark)
                + fill("M250 810h300v22H250z", light)
        }
    }
}
