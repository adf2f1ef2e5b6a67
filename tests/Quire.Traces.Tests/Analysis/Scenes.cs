namespace Quire.Traces.Tests.Analysis;

/// <summary>Small recordings whose right answer can be told by reading them.</summary>
internal static class Scenes
{
    internal const ulong Begin = 1_000_000_000;
    private const ulong Millisecond = 1_000_000;

    /// <summary>
    /// A server that keeps headers: one site grows, one is steady, small ones are folded; a fragment page is shared by two, and a third page was given back.
    /// </summary>
    internal static RecordingBuilder Server(bool withEnd = true, bool withStacks = true, int sample = 1)
    {
        RecordingBuilder recording = new() { Begin = Begin, End = At(800), IsStopped = withEnd };
        if (sample > 1)
        {
            recording.Property("sample", $"{sample}");
        }

        recording.Property("process", "broker");
        recording.Thread(9, 9, "parser");
        recording.Thread(2, 2, "retry");
        recording.Thread(4, 4, "main");
        uint keep = withStacks ? recording.Stack(false, "App.Http.HttpParser.KeepHeader(Parser.cs:141)", "App.Http.HttpParser.Parse(Parser.cs:90)", "App.Program.Main(Program.cs:7)") : 0;
        RecordingBuilder.Ring parser = recording.AddRing(4096);
        RecordingBuilder.Ring retry = recording.AddRing(4096);
        RecordingBuilder.Ring main = recording.AddRing(4096);
        List<(string, object)[]> held = [];
        for (int i = 0; i < 80; i++)
        {
            ulong pfn = 0x17a00 + (ulong)i;
            ulong time = At(10 + (i * 9));
            Page(parser, time, 9, pfn, 0, "Frag.cs:88 Refill");
            (string, object)[] header =
            [
                ("pfn", pfn), ("generation", 1ul), ("ticket", 0x400001u + (uint)i), ("references", 1), ("bytes", 23), ("kind", 1), ("site", "Parser.cs:141 KeepHeader"), ("stack", keep),
            ];
            parser.Write("holder_take", time + 200, 9, header);
            held.Add([.. header, ("taken", time + 200), ("taken_pid", 9)]);
        }

        // Sixteen at any time: each takes the place of the one before.
        for (int i = 0; i < 120; i++)
        {
            ulong time = At(1 + (i * 6));
            ulong pfn = 0x20000 + (ulong)(i % 16);
            uint ticket = ((1 + ((uint)i / 16)) << 22) | (0x2000 + ((uint)i % 16));
            (string, object)[] page = [("pfn", pfn), ("generation", 1 + ((ulong)i / 16))];
            if (i >= 16)
            {
                uint before = ((uint)(i / 16) << 22) | (0x2000 + ((uint)i % 16));
                (string, object)[] gone = [("pfn", pfn), ("generation", (ulong)i / 16)];
                main.Write("holder_release", time, 4, [.. gone, ("ticket", before), ("references", 1), ("remaining", 0), ("site", "Retry.cs:91 Flush")]);
                main.Write("page_ref_mod_and_test", time + 10, 4, [.. gone, ("val", -1), ("count", 0), ("ret", 1), ("site", "Retry.cs:91 Flush")]);
                main.Write("mm_page_free", time + 20, 4, [.. gone, ("site", "Retry.cs:91 Flush")]);
            }

            retry.Write("page_ref_set", time + 100, 2, [.. page, ("val", 1), ("count", 1), ("site", "Retry.cs:57 Enqueue")]);
            retry.Write("mm_page_alloc", time + 110, 2, [.. page, ("order", 0), ("site", "Retry.cs:57 Enqueue"), ("owner", "rx")]);
            (string, object)[] taken = [.. page, ("ticket", ticket), ("references", 1), ("bytes", 1460), ("kind", 0), ("site", "Retry.cs:57 Enqueue")];
            retry.Write("holder_take", time + 120, 2, taken);
            if (i >= 104)
            {
                held.Add([.. taken, ("taken", time + 120), ("taken_pid", 2)]);
            }
        }

        string[] odd = ["Cache.cs:9 Store", "Log.cs:3 Tail"];
        for (int i = 0; i < odd.Length; i++)
        {
            ulong pfn = 0x30000 + (ulong)i;
            Page(main, At(751 + i), 4, pfn, 0, odd[i]);
            (string, object)[] taken = [("pfn", pfn), ("generation", 1ul), ("ticket", 0x403000u + (uint)i), ("references", 1), ("kind", 0), ("site", odd[i])];
            main.Write("holder_take", At(751 + i) + 200, 4, taken);
            held.Add([.. taken, ("taken", At(751 + i) + 200), ("taken_pid", 4)]);
        }

        // One page of 32 KiB: a cache's fragments, one kept, 14 sent and given back, by a tail's handle too.
        FragmentPage(recording, main, parser, held);
        if (withEnd)
        {
            RecordingBuilder.Snapshot end = recording.AddSnapshot(2, At(800));
            held.ForEach(holder => end.Write("holder_state", 1, holder));
            foreach ((string, object)[] holder in held.DistinctBy(static holder => holder[0].Item2))
            {
                bool isFragment = (ulong)holder[0].Item2 == 0x17ac8;
                end.Write("page_state", 1, holder[0], holder[1], ("order", isFragment ? 3 : 0), ("count", isFragment ? 50 : 1), ("bias", isFragment ? 48 : 0), ("owner", "rx"));
            }
        }

        return recording;
    }

    /// <summary>A contiguous allocation fails because an auditor has a page pinned; a retry after it lets go succeeds. One more finds no space.</summary>
    internal static RecordingBuilder Contiguous(bool letsGo = true)
    {
        RecordingBuilder recording = new() { Begin = Begin, End = At(900) };
        recording.Thread(5, 5, "auditor");
        recording.Thread(6, 6, "camera");
        uint audit = recording.Stack(true, "Demo.ForgetfulAuditor.Audit(ForgetfulAuditor.cs:31)", "Demo.Run(Demo.cs:8)");
        RecordingBuilder.Ring auditor = recording.AddRing(256);
        RecordingBuilder.Ring camera = recording.AddRing(256);
        (string, object)[] page = [("pfn", 0xf1dcul), ("generation", 7ul)];
        auditor.Write("page_ref_set", At(1), 5, [.. page, ("val", 1), ("count", 1)]);
        auditor.Write("mm_page_alloc", At(1) + 10, 5, [.. page, ("order", 0), ("migratetype", 1), ("site", "Movable.cs:4 Rent"), ("owner", "lent")]);
        auditor.Write("holder_take", At(1) + 20, 5, [.. page, ("ticket", 0x400010u), ("references", 1), ("bytes", 4096), ("kind", 5), ("site", "Movable.cs:4 Rent")]);
        auditor.Write("page_ref_mod_and_return", At(2), 5, [.. page, ("val", 1), ("count", 2), ("ret", 2), ("stack", audit), ("site", "ForgetfulAuditor.cs:31 Audit")]);
        auditor.Write("holder_take", At(2) + 20, 5, [.. page, ("ticket", 0x400011u), ("references", 1), ("kind", 2), ("stack", audit), ("site", "ForgetfulAuditor.cs:31 Audit")]);
        camera.Write("cma_alloc_start", At(300), 6, ("name", "frames"), ("count", 64), ("align", 4), ("site", "Camera.cs:12 Grab"));
        camera.Write("page_ref_freeze", At(301), 6, [.. page, ("val", 1), ("count", 2), ("ret", 0)]);
        camera.Write("mm_migrate_pages", At(302), 6, ("succeeded", 11ul), ("failed", 1ul), ("mode", 2), ("reason", 6));
        camera.Write("test_pages_isolated", At(302) + 10, 6, ("start_pfn", 0xf1c0ul), ("end_pfn", 0xf200ul), ("fin_pfn", 0xf1dcul));
        camera.Write("cma_alloc_busy_retry", At(302) + 20, 6, ("name", "frames"), ("pfn", 0xf1c0ul), ("count", 64), ("align", 4));
        camera.Write("page_busy", At(400), 6, [.. page, ("count", 2), ("expected", 1), ("pins", 1), ("name", "frames"), ("reason", 0)]);
        camera.Write("cma_alloc_finish", At(400) + 10, 6, ("name", "frames"), ("count", 64), ("align", 4), ("errorno", -16), ("site", "Camera.cs:12 Grab"));
        if (letsGo)
        {
            auditor.Write("holder_release", At(520), 5, [.. page, ("ticket", 0x400011u), ("references", 1), ("remaining", 0), ("site", "ForgetfulAuditor.cs:44 End")]);
            auditor.Write("page_ref_mod_and_test", At(520) + 10, 5, [.. page, ("val", -1), ("count", 1), ("ret", 0), ("site", "ForgetfulAuditor.cs:44 End")]);
        }

        camera.Write("cma_alloc_start", At(600), 6, ("name", "frames"), ("count", 64), ("align", 4), ("site", "Camera.cs:12 Grab"));
        camera.Write("test_pages_isolated", At(600) + 10, 6, ("start_pfn", 0xf200ul), ("end_pfn", 0xf240ul), ("fin_pfn", 0xf240ul));
        camera.Write("cma_alloc_finish", At(600) + 20, 6, ("name", "frames"), ("pfn", 0xf200ul), ("page", 0xf200000ul), ("count", 64), ("align", 4));
        camera.Write("holder_take", At(600) + 30, 6, ("pfn", 0xf200ul), ("generation", 1ul), ("ticket", 0x400020u), ("references", 1), ("bytes", 64 * 4096), ("kind", 6), ("site", "Camera.cs:12 Grab"));
        for (int i = 0; i < 64; i++)
        {
            camera.Write("page_ref_set", At(600) + 40, 6, ("pfn", 0xf200ul + (ulong)i), ("generation", 1ul), ("val", 1), ("count", 1));
        }

        camera.Write("cma_alloc_start", At(700), 6, ("name", "frames"), ("count", 4096), ("align", 0), ("site", "Camera.cs:20 Burst"));
        camera.Write("cma_alloc_finish", At(700) + 10, 6, ("name", "frames"), ("count", 4096), ("errorno", -12), ("site", "Camera.cs:20 Burst"));
        return recording;
    }

    internal static ulong At(double milliseconds) => Begin + (ulong)(milliseconds * Millisecond);

    private static void Page(RecordingBuilder.Ring ring, ulong time, int pid, ulong pfn, int order, string site)
    {
        (string, object)[] page = [("pfn", pfn), ("generation", 1ul), ("order", order)];
        ring.Write("page_ref_set", time, pid, [.. page, ("val", 1), ("count", 1), ("site", site)]);
        ring.Write("mm_page_alloc", time + 10, pid, [.. page, ("site", site), ("owner", "rx")]);
    }

    private static void FragmentPage(RecordingBuilder recording, RecordingBuilder.Ring main, RecordingBuilder.Ring parser, List<(string, object)[]> held)
    {
        const ulong Pfn = 0x17ac8;
        (string, object)[] page = [("pfn", Pfn), ("generation", 1ul)];
        uint send = recording.Stack(false, "App.SocketSender.Send(Send.cs:8)");
        Page(main, At(760), 4, Pfn, 3, "Frag.cs:88 Refill");
        main.Write("page_ref_mod", At(760) + 100, 4, [.. page, ("order", 3), ("val", 63), ("count", 64), ("page", (uint)Pfn), ("site", "Frag.cs:88 Refill")]);
        main.Write("fragment_refill", At(760) + 110, 4, [.. page, ("order", 3), ("references", 64), ("count", 64), ("cache", 1), ("owner", "rx")]);
        for (uint i = 0; i < 14; i++)
        {
            ulong time = At(761 + i);
            main.Write("holder_take", time, 4, [.. page, ("ticket", 0x405000 + i), ("references", 1), ("bytes", 1460), ("kind", 1), ("stack", send), ("site", "Send.cs:8 Send")]);
            main.Write("holder_release", time + 500, 4, [.. page, ("ticket", 0x405000 + i), ("references", 1), ("remaining", 0), ("stack", send), ("site", "Send.cs:30 Sent")]);
            main.Write("page_ref_mod_and_return", time + 510, 4, [.. page, ("order", 3), ("val", -1), ("count", 63 - (int)i), ("ret", 63 - (int)i), ("page", (uint)Pfn), ("stack", send), ("site", "Send.cs:30 Sent")]);
        }

        (string, object)[] kept = [.. page, ("ticket", 0x405100u), ("references", 1), ("bytes", 23), ("kind", 1), ("site", "Parser.cs:150 KeepTrailer")];
        main.Write("holder_take", At(780), 4, kept);
        main.Write("holder_touch", At(781), 2, ("ticket", 0x405100u), ("site", "Queue.cs:5 Own"));
        held.Add([.. kept, ("taken", At(780)), ("taken_pid", 4), ("touched_site", "Queue.cs:5 Own")]);

        // A reference by a tail's handle, from another thread, never recorded: the ledger was full.
        parser.Write("page_ref_mod_unless", At(790), 9, [.. page, ("order", 3), ("val", 1), ("count", 51), ("ret", 1), ("page", (uint)Pfn + 2), ("site", "Late.cs:1 Peek")]);
        parser.Write("page_ref_mod_and_test", At(791), 9, [.. page, ("order", 3), ("val", -1), ("count", 50), ("ret", 0), ("page", (uint)Pfn + 2), ("site", "Late.cs:1 Peek")]);
    }
}
