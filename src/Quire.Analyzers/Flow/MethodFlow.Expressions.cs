using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Quire.Analyzers.Knowledge;

namespace Quire.Analyzers.Flow;

/// <content>What an expression gives, and what it does to the references in it. An operation that is not known here hands on all that it holds.</content>
internal sealed partial class MethodFlow
{
    /// <summary>How the TryX calls of the operation that is being evaluated answer.</summary>
    private readonly Dictionary<IOperation, bool> _answers = [];

    /// <summary>References that the operation took.</summary>
    private readonly List<int> _taken = [];

    /// <summary>An operation evaluated once for each way in which its TryX calls can answer.</summary>
    private List<(FlowState State, Value Value)> Evaluations(FlowState before, IOperation operation, bool isReturned)
    {
        IInvocationOperation[] tries = [.. operation.DescendantsAndSelf().OfType<IInvocationOperation>().Where(IsTry)];
        if (tries.Length > 4)
        {
            throw new TooManyPathsException();
        }

        List<(FlowState, Value)> all = [];
        for (int answers = 0; answers < 1 << tries.Length; answers++)
        {
            _answers.Clear();
            for (int at = 0; at < tries.Length; at++)
            {
                _answers[tries[at]] = (answers & (1 << at)) != 0;
            }

            _taken.Clear();
            FlowState state = before.Copy();
            Value value = Evaluate(state, operation);
            if (state.IsOver)
            {
                continue;
            }

            foreach (int token in _taken)
            {
                if (state.Token(token).Is(Status.Owned) && !state.IsHeld(token) && !(isReturned && value.Token == token))
                {
                    ReportDropped(token);
                    state.SetToken(token, default);
                }
            }

            all.Add((state, value));
        }

        return all;
    }

    private bool IsTry(IInvocationOperation invocation) =>
        invocation.Type?.SpecialType == SpecialType.System_Boolean
        && QuireSymbols.GivenBy(invocation.TargetMethod) is { } given && _symbols.OutOf(invocation.TargetMethod, given) is not null;

    private Value Evaluate(FlowState state, IOperation? operation)
    {
        if (operation is null)
        {
            return Value.Unknown;
        }

        if (operation.ConstantValue is { HasValue: true, Value: var constant })
        {
            return constant switch
            {
                null => Value.Null,
                bool flag => Value.Of(flag),
                _ => Value.Unknown,
            };
        }

        switch (operation)
        {
            case IExpressionStatementOperation statement:
                Value result = Evaluate(state, statement.Operation);
                if (statement.Operation is not IAssignmentOperation)
                {
                    // A result that nobody takes is the other analyzer's.
                    Escape(state, result);
                }

                return Value.Unknown;
            case ILocalReferenceOperation local:
                return Read(state, _graph.SlotOf(local.Local), operation);
            case IParameterReferenceOperation parameter:
                return Read(state, _graph.SlotOf(parameter.Parameter), operation);
            case IFlowCaptureReferenceOperation reference:
                return Read(state, _graph.SlotOf(reference.Id), operation);
            case IFlowCaptureOperation capture:
                return Capture(state, capture);
            case IDefaultValueOperation:
                return operation.Type?.SpecialType == SpecialType.System_Boolean ? Value.Of(false) : Value.Null;
            case IParenthesizedOperation parenthesized:
                return Evaluate(state, parenthesized.Operand);
            case IConversionOperation conversion:
                return Convert(state, conversion);
            case ISimpleAssignmentOperation assignment:
                return Assign(state, assignment);
            case IInvocationOperation invocation:
                return Invoke(state, invocation);
            case IObjectCreationOperation creation:
                return Create(state, creation);
            case IPropertyReferenceOperation property:
                return Property(state, property);
            case IImplicitIndexerReferenceOperation { Instance: { } sliced } indexer:
                return Part(state, Evaluate(state, sliced), indexer.Argument, indexer.Type);
            case IFieldReferenceOperation or IArrayElementReferenceOperation:
                foreach (IOperation child in operation.ChildOperations)
                {
                    Escape(state, Evaluate(state, child));
                }

                return Elsewhere(state, operation);
            case IAwaitOperation awaited:
                return Evaluate(state, awaited.Operation);
            case IIsNullOperation isNull:
                return IsNull(state, Evaluate(state, isNull.Operand));
            case IIsPatternOperation pattern:
                return Match(state, pattern);
            case IIsTypeOperation isType:
                Evaluate(state, isType.ValueOperand);
                return Value.Unknown;
            case IBinaryOperation binary:
                return Compare(state, binary);
            case IUnaryOperation unary:
                Value operand = Evaluate(state, unary.Operand);
                return unary.OperatorKind == UnaryOperatorKind.Not && operand.IsBool ? operand.Turned() : Value.Unknown;
            case IInterpolatedStringOperation or IInterpolationOperation or IInterpolatedStringTextOperation or INameOfOperation or ITypeOfOperation:
                // Texts look.
                foreach (IOperation child in operation.ChildOperations)
                {
                    Evaluate(state, child);
                }

                return Value.Unknown;
            case IDeclarationExpressionOperation declaration:
                return Evaluate(state, declaration.Expression);
            case IFlowAnonymousFunctionOperation:
                // What it may change is followed nowhere (Captures), what it looks at stays ours.
                return Value.Unknown;
            case IDelegateCreationOperation { Target: IFlowAnonymousFunctionOperation }:
                return Value.Unknown;
            case ICompoundAssignmentOperation or IIncrementOrDecrementOperation:
                return Change(state, operation);
            case IDeconstructionAssignmentOperation deconstruction:
                Escape(state, Evaluate(state, deconstruction.Value));
                Overwrite(state, deconstruction.Target);
                return Value.Unknown;
            default:
                foreach (IOperation child in operation.ChildOperations)
                {
                    Escape(state, Evaluate(state, child));
                }

                return Value.Unknown;
        }
    }

    private Value Read(FlowState state, int slot, IOperation reference)
    {
        if (slot < 0)
        {
            return Value.Unknown;
        }

        Value value = state[slot];
        if (value.Kind is ValueKind.View or ValueKind.Pointer && state.Token(value.Token).Is(Status.Released) && IsUsed(reference))
        {
            ReportStaleView(state, value.Token, slot, reference.Syntax, "it is used here");
            state.SetToken(value.Token, new TokenState(Status.Escaped));
        }

        if (value.Kind == ValueKind.Unknown && _graph.NameOf(slot) is { } name && IsFollowed(name) && _symbols.OwnerOf(reference.Type) is { } type && !Looks.IsWritten(reference))
        {
            // A handle of which nothing is known: from here on it is known that all copies of it are one.
            TokenSite site = SiteOf(reference.Syntax, "", type, null);
            TakeAgain(state, site, Status.Foreign);
            value = new Value(ValueKind.Owner, site.Number * 2);
            SetSlot(state, slot, value);
        }

        return value;
    }

    /// <summary>How long a view is, and whether it is empty, it knows without its memory.</summary>
    private static bool IsUsed(IOperation reference) =>
        reference.Parent is not (IFlowCaptureOperation or IPropertyReferenceOperation { Property.Name: "Length" or "IsEmpty" }) && !Looks.IsWritten(reference);

    private Value Capture(FlowState state, IFlowCaptureOperation capture)
    {
        int slot = _graph.SlotOf(capture.Id);
        Value value = Evaluate(state, capture.Value);
        if (slot >= 0)
        {
            SetSlot(state, slot, value);
            if (Looks.Named(capture.Value) is { } symbol)
            {
                // The compiler captures targets of assignments too.
                _captured[slot] = symbol;
            }
        }

        return value;
    }

    private readonly Dictionary<int, ISymbol> _captured = [];

    private Value Convert(FlowState state, IConversionOperation conversion)
    {
        Value value = Evaluate(state, conversion.Operand);
        if (conversion.OperatorMethod is null)
        {
            if (value.Kind != ValueKind.Pointer || conversion.Type is IPointerTypeSymbol)
            {
                return value;
            }

            // An address as a number: it may lead back to the page, or be no more than a number.
            Escape(state, value);
            return Value.Unknown;
        }

        // Span to ReadOnlySpan, Memory to ReadOnlyMemory. All others are calls like any other.
        if (value.Kind is ValueKind.View or ValueKind.Pointer && IsView(conversion.Type))
        {
            return value;
        }

        Escape(state, value);
        return Value.Unknown;
    }

    private Value Assign(FlowState state, ISimpleAssignmentOperation assignment)
    {
        if (assignment.IsRef)
        {
            Escape(state, Evaluate(state, assignment.Value));
            Overwrite(state, assignment.Target);
            return Value.Unknown;
        }

        ISymbol? target = Looks.Named(assignment.Target) ?? (assignment.Target as IDeclarationExpressionOperation is { } declaration ? Looks.Named(declaration.Expression) : null);
        if (target is null && assignment.Target is IFlowCaptureReferenceOperation reference && _graph.SlotOf(reference.Id) is >= 0 and int captured && _captured.TryGetValue(captured, out ISymbol? behind))
        {
            target = behind;
        }

        if (target is null)
        {
            foreach (IOperation child in assignment.Target.ChildOperations)
            {
                Escape(state, Evaluate(state, child));
            }

            Escape(state, Evaluate(state, assignment.Value));
            return Value.Unknown;
        }

        Value value = Evaluate(state, assignment.Value);
        Store(state, target, value);
        return value;
    }

    /// <summary>Targets of which nothing is known after an operation.</summary>
    private void Overwrite(FlowState state, IOperation target)
    {
        foreach (IOperation operation in target.DescendantsAndSelf())
        {
            if (Looks.Named(operation) is { } symbol && _graph.SlotOf(symbol) is >= 0 and int slot)
            {
                Escape(state, state[slot]);
                state[slot] = Value.Unknown;
                Forget(state, slot);
            }
        }
    }

    /// <summary>Gives a local a value. What only it held before is lost.</summary>
    private void Store(FlowState state, ISymbol target, Value value)
    {
        int slot = _graph.SlotOf(target);
        if (slot < 0 || !IsFollowed(target))
        {
            Escape(state, value);
            return;
        }

        Value before = state[slot];
        SetSlot(state, slot, value);
        Forget(state, slot);
        if (before.Releases && before.Token != value.Token && !state.IsHeld(before.Token))
        {
            // `handle = handle.Get()`: equal handles of one page, to be put together by their number.
            bool isOneMore = value.Releases && _sites[value.Token / 2].From == before.Token / 2;
            if (state.Token(before.Token).Is(Status.Owned) && !isOneMore)
            {
                ReportOverwritten(before.Token, slot);
            }

            if (state.Token(before.Token).Status == Status.Owned)
            {
                state.SetToken(before.Token, new TokenState(Status.Escaped));
            }
        }

        if (before.Token >= 0 && before.Token != value.Token)
        {
            Settle(state, before.Token);
        }
    }

    private Value Change(FlowState state, IOperation operation)
    {
        IOperation target = operation.ChildOperations.First();
        foreach (IOperation child in operation.ChildOperations)
        {
            Value value = Evaluate(state, child);
            if (child != target)
            {
                Escape(state, value);
            }
        }

        // p += 4 is an address in the same memory; a flag |= is any flag.
        if (Looks.Named(target) is { } symbol && _graph.SlotOf(symbol) is >= 0 and int slot)
        {
            if (state[slot].Kind != ValueKind.Pointer)
            {
                state[slot] = Value.Unknown;
            }

            Forget(state, slot);
        }

        return Value.Unknown;
    }

    private Value Property(FlowState state, IPropertyReferenceOperation property)
    {
        Value instance = Evaluate(state, property.Instance);
        foreach (IArgumentOperation argument in property.Arguments)
        {
            Escape(state, Evaluate(state, argument.Value));
        }

        switch (instance.Kind)
        {
            case ValueKind.Owner or ValueKind.Lease:
                return Member(state, instance, property.Property, property, _symbols.OwnerOf(property.Property.ContainingType));
            case ValueKind.View or ValueKind.Pointer:
                return IsView(property.Type) ? instance.As(ValueKind.View) : Value.Unknown;
            case ValueKind.PageBehind when _symbols.OwnerOf(property.Type) is not null:
                return instance;
            case ValueKind.Null when property.Property.Name == "IsAlive":
                return Value.Of(false);
            default:
                return Elsewhere(state, property);
        }
    }

    /// <summary>A handle that comes from a field, a call or an element: whose it is, is not known; that its copies are one is.</summary>
    private Value Elsewhere(FlowState state, IOperation operation)
    {
        if (_symbols.OwnerOf(operation.Type) is not { Kind: OwnerKind.Handle or OwnerKind.Owner } type)
        {
            return Value.Unknown;
        }

        TokenSite site = SiteOf(operation.Syntax, "", type, null);
        TakeAgain(state, site, Status.Foreign);
        return new Value(ValueKind.Owner, site.Number * 2);
    }

    private static Value IsNull(FlowState state, Value value) => value.Kind switch
    {
        ValueKind.Null => Value.Of(true),
        ValueKind.Owner or ValueKind.Lease when state.Token(value.Token).Status is Status.Owned => Value.Of(false, value.Token),
        ValueKind.True or ValueKind.False => Value.Of(false),
        _ => Value.Unknown,
    };

    private Value Match(FlowState state, IIsPatternOperation pattern)
    {
        Value value = Evaluate(state, pattern.Value);
        IPatternOperation tested = pattern.Pattern;
        bool turned = false;
        while (tested is INegatedPatternOperation negated)
        {
            tested = negated.Pattern;
            turned = !turned;
        }

        Value answer = Value.Unknown;
        switch (tested)
        {
            case IConstantPatternOperation { Value.ConstantValue: { HasValue: true, Value: null } }:
                answer = IsNull(state, value);
                break;
            case IConstantPatternOperation { Value.ConstantValue: { HasValue: true, Value: bool flag } } when value.IsBool:
                answer = Value.Of(value.Kind == ValueKind.True == flag);
                break;
            case IDeclarationPatternOperation { DeclaredSymbol: { } declared }:
                Store(state, declared, value);
                answer = IsNull(state, value) is { IsBool: true } isNull ? isNull.Turned() : Value.Unknown;
                break;
            case IRecursivePatternOperation recursive:
                if (recursive.DeclaredSymbol is { } bound)
                {
                    Store(state, bound, value);
                }

                break;
            default:
                Escape(state, value);
                break;
        }

        return turned && answer.IsBool ? answer.Turned() : answer;
    }

    private Value Compare(FlowState state, IBinaryOperation binary)
    {
        Value left = Evaluate(state, binary.LeftOperand), right = Evaluate(state, binary.RightOperand);
        bool isEqual = binary.OperatorKind == BinaryOperatorKind.Equals;
        if (isEqual || binary.OperatorKind == BinaryOperatorKind.NotEquals)
        {
            Value answer = left.Kind == ValueKind.Null ? IsNull(state, right)
                : right.Kind == ValueKind.Null ? IsNull(state, left)
                : left.IsBool && right.IsBool ? Value.Of(left.Kind == right.Kind)
                : left.Kind == ValueKind.Owner && left.Equals(right) ? Value.Of(true)
                : Value.Unknown;
            return answer.IsBool && !isEqual ? answer.Turned() : answer;
        }

        // p + 4 is an address in the same memory.
        if (left.Kind == ValueKind.Pointer && binary.Type is IPointerTypeSymbol)
        {
            return left;
        }

        return left.IsBool && right.IsBool
            ? binary.OperatorKind switch
            {
                BinaryOperatorKind.And => Value.Of(left.Kind == ValueKind.True && right.Kind == ValueKind.True),
                BinaryOperatorKind.Or => Value.Of(left.Kind == ValueKind.True || right.Kind == ValueKind.True),
                _ => Value.Unknown,
            }
            : Value.Unknown;
    }

    /// <summary>Writes down what an answer says of the locals in its question.</summary>
    private void Refine(FlowState state, IOperation? question, bool answer)
    {
        switch (question)
        {
            case IParenthesizedOperation parenthesized:
                Refine(state, parenthesized.Operand, answer);
                break;
            case IUnaryOperation { OperatorKind: UnaryOperatorKind.Not } not:
                Refine(state, not.Operand, !answer);
                break;
            case IIsNullOperation isNull when answer:
                RefineNull(state, isNull.Operand);
                break;
            case IIsPatternOperation { Pattern: IConstantPatternOperation { Value.ConstantValue: { HasValue: true, Value: null } } } pattern when answer:
                RefineNull(state, pattern.Value);
                break;
            case IIsPatternOperation { Pattern: INegatedPatternOperation { Pattern: IConstantPatternOperation { Value.ConstantValue: { HasValue: true, Value: null } } } } pattern when !answer:
                RefineNull(state, pattern.Value);
                break;
            case IBinaryOperation { OperatorKind: BinaryOperatorKind.Equals } equal when answer:
                RefineNull(state, equal);
                break;
            case IBinaryOperation { OperatorKind: BinaryOperatorKind.NotEquals } different when !answer:
                RefineNull(state, different);
                break;
            case ILocalReferenceOperation or IParameterReferenceOperation or IFlowCaptureReferenceOperation:
                int slot = SlotOf(question);
                if (slot >= 0 && question.Type?.SpecialType == SpecialType.System_Boolean && (_graph.NameOf(slot) is not { } name || IsFollowed(name)))
                {
                    state[slot] = Value.Of(answer);
                }

                break;
            case IPropertyReferenceOperation { Property.Name: "IsAlive", Instance: { } instance } when !answer:
                RefineNull(state, instance);
                break;
        }
    }

    private void RefineNull(FlowState state, IBinaryOperation comparison)
    {
        if (IsNothing(comparison.RightOperand))
        {
            RefineNull(state, comparison.LeftOperand);
        }
        else if (IsNothing(comparison.LeftOperand))
        {
            RefineNull(state, comparison.RightOperand);
        }

        static bool IsNothing(IOperation operation) =>
            operation is IDefaultValueOperation || operation.ConstantValue is { HasValue: true, Value: null } || (operation is IConversionOperation conversion && IsNothing(conversion.Operand));
    }

    private void RefineNull(FlowState state, IOperation operand)
    {
        while (operand is IConversionOperation { OperatorMethod: null } conversion)
        {
            operand = conversion.Operand;
        }

        int slot = SlotOf(operand);
        if (slot < 0 || (_graph.NameOf(slot) is { } name && !IsFollowed(name)))
        {
            return;
        }

        Value value = state[slot];
        if (value.Kind is ValueKind.Unknown or ValueKind.Owner)
        {
            state[slot] = Value.Null;
            if (value.Token >= 0 && state.Token(value.Token).Status is Status.Foreign)
            {
                Settle(state, value.Token);
            }
        }
    }

    private int SlotOf(IOperation operation) =>
        Looks.Named(operation) is { } symbol ? _graph.SlotOf(symbol)
        : operation is IFlowCaptureReferenceOperation reference ? _graph.SlotOf(reference.Id)
        : -1;
}
