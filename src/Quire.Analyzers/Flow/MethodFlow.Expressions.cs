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

    private int SlotOf(IOperation operation) =>
        Looks.Named(operation) is { } symbol ? _graph.SlotOf(symbol)
        : operation is IFlowCaptureReferenceOperation reference ? _graph.SlotOf(reference.Id)
        : -1;
}
